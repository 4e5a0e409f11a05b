import hashlib
import json
from itertools import chain

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.dataset import Dataset, whole_slates
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError
from tests.data.tables import START, TWO_SLATES, impressions, news, times


@pytest.fixture
def folder(tmp_path):
    vectors = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    with DatasetWriter(tmp_path / "d", "test") as writer:
        writer.news(news("a", "b").append_column("embedding", vectors))
        writer.impressions(impressions(*TWO_SLATES))
        writer.impressions(impressions((3, "v", "c", True)))
        writer.histories(pa.table({"user_id": ["u"], "time": times(0), "history": [["x", "a"]]}))
        writer.attributes(pa.table({"user_id": ["u", "v"], "gender": ["F", None]}))
    return tmp_path / "d"


def test_tables_come_back_as_they_were_written(folder):
    dataset = Dataset.open(folder)
    shown = dataset.impressions
    assert shown["news_id"].tolist() == ["a", "b", "a", "c"]
    assert shown["clicked"].tolist() == [True, False, False, True]
    assert shown["time"].iloc[0] == pd.Timestamp(START) + pd.Timedelta(minutes=1)
    assert str(shown["user_id"].dtype) == "str"
    assert dataset.news["embedding"].iloc[0].tolist() == [1.0, 2.0]
    assert dataset.histories["history"].iloc[0].tolist() == ["x", "a"]
    assert dataset.attributes["gender"].isna().tolist() == [False, True]
    assert dataset.ratings is None


def test_the_description_says_what_is_there(folder):
    info = Dataset.open(folder).info
    assert info.attributes == ["gender"]
    assert (info.first_time.minute, info.last_time.minute) == (1, 3)
    assert info.counts.unknown_news == 1
    assert "pyarrow" in info.versions


def test_a_check_of_everything_agrees_with_the_description(folder):
    dataset = Dataset.open(folder)
    assert dataset.check() == dataset.info.counts


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_impressions_stream_in_whole_slates(folder, batch_rows):
    tables = list(Dataset.open(folder).iter_impressions(["news_id"], batch_rows))
    assert [news for table in tables for news in table["news_id"].to_pylist()] == list("abac")
    assert tables[0].num_rows >= 2


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 5))
def test_no_slate_is_torn_apart(lengths, batch_rows):
    slates = [slate for slate, length in enumerate(lengths) for _ in range(length)]
    batches = pa.table({"slate_id": slates}).to_batches(batch_rows)
    tables = list(whole_slates(pa.Table.from_batches([batch]) for batch in batches))
    found = [table["slate_id"].to_pylist() for table in tables]
    assert list(chain.from_iterable(found)) == slates
    assert sum(len(set(ids)) for ids in found) == len(lengths)


def test_a_changed_table_is_refused(folder):
    table = pq.read_table(folder / "news.parquet")
    pq.write_table(table.slice(0, 1), folder / "news.parquet")
    with pytest.raises(DataError, match=r"news\.parquet: has changed since"):
        Dataset.open(folder)


def test_a_missing_table_is_refused(folder):
    (folder / "attributes.parquet").unlink()
    with pytest.raises(DataError, match=r"attributes\.parquet: the file is missing"):
        Dataset.open(folder)


def describe_anew(folder, name, table, **changes):
    """Write a table by hand and a description that fits its bytes."""
    pq.write_table(table, folder / f"{name}.parquet")
    path = folder / "dataset.json"
    info = json.loads(path.read_text())
    data = (folder / f"{name}.parquet").read_bytes()
    info["sha256"][f"{name}.parquet"] = hashlib.sha256(data).hexdigest()
    info["counts"] |= changes
    path.write_text(json.dumps(info))


def test_other_columns_are_refused(folder):
    describe_anew(folder, "news", pa.table({"news_id": ["a", "b"]}))
    with pytest.raises(DataError, match=r"news\.parquet: expected columns news_id string, title"):
        Dataset.open(folder)


def test_other_counts_are_refused(folder):
    table = pq.read_table(folder / "impressions.parquet").slice(0, 3)
    describe_anew(folder, "impressions", table)
    with pytest.raises(DataError, match=r"expected 4 rows as in dataset.json, found 3"):
        Dataset.open(folder)


def test_a_repeated_id_under_a_fitting_description_is_found_by_the_check(folder):
    table = pq.read_table(folder / "news.parquet")
    describe_anew(folder, "news", pa.concat_tables([table, table]), news=4)
    with pytest.raises(DataError, match="news_id 'a' comes twice"):
        Dataset.open(folder).check()


@pytest.mark.parametrize("text", ["{", "{}", '{"source": 3}'])
def test_a_damaged_description_is_refused(folder, text):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json: "):
        Dataset.open(folder)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.json: No such file"):
        Dataset.open(tmp_path)
