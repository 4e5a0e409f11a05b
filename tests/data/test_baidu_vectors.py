import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from recsys.data.sources import baidu_vectors
from recsys.errors import DataError

CLICKS = pa.table(
    {
        "query_document_embedding": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]],
        "position": [[1, 2], [1]],
        "click": [[0, 1], [1]],
    }
)
ANNOTATED = pa.table(
    {
        "query_document_embedding": [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]],
        "label": [[3], [0, 4]],
        "frequency_bucket": [0, 9],
    }
)


@pytest.fixture
def files(tmp_path):
    pq.write_table(CLICKS, tmp_path / "clicks.parquet")
    feather.write_feather(ANNOTATED, tmp_path / "test.feather", compression="uncompressed")
    return tmp_path / "clicks.parquet", tmp_path / "test.feather"


def test_each_session_keeps_its_documents_vectors_and_clicks(files):
    found = baidu_vectors.load(files[0])
    assert found.log.offsets.tolist() == [0, 2, 3]
    assert found.log.clicks.tolist() == [False, True, True]
    assert found.splits["train"].features.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_annotations_become_the_test_queries_with_their_buckets(files):
    test = baidu_vectors.load(*files).splits["test"]
    assert test.labels.tolist() == [3, 0, 4] and test.buckets.tolist() == [0, 9]
    assert test.offsets.tolist() == [0, 1, 3]


def test_sessions_can_be_limited(files):
    assert len(baidu_vectors.load(files[0], max_sessions=1).log) == 1


def test_a_missing_column_is_named(files, tmp_path):
    pq.write_table(CLICKS.drop_columns("click"), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="column 'click' is missing"):
        baidu_vectors.load(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("position", [[1], [1, 2]], "position: expected a list with a number for each vector"),
        ("click", [[0], [1]], "click: expected a list with a number for each vector"),
        ("position", [[1, None], [1]], "position: expected a list with a number for each vector"),
        ("position", [[0, 1], [0]], "position: expected numbers from 1, found 0"),
    ],
)
def test_numbers_that_do_not_stand_beside_the_vectors_are_refused(
    tmp_path, column, values, message
):
    pq.write_table(pa.table(CLICKS.to_pydict() | {column: values}), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=message):
        baidu_vectors.load(tmp_path / "bad.parquet")


def test_a_file_without_sessions_is_refused(tmp_path):
    pq.write_table(CLICKS.slice(0, 0), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=r"bad\.parquet: has no rows"):
        baidu_vectors.load(tmp_path / "bad.parquet")


def test_another_format_is_refused(tmp_path):
    (tmp_path / "bad.feather").write_text("no")
    with pytest.raises(DataError, match=r"bad\.feather: expected a Parquet or Feather file"):
        baidu_vectors.load(tmp_path / "bad.feather")


def test_vectors_are_float32(files):
    assert baidu_vectors.load(*files).splits["train"].features.dtype == np.float32
