import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.sources import ebnerd
from recsys.errors import DataError
from tests.data.reading import tables

MOMENT = dt.datetime(2023, 5, 18, 7, 0)
IDS = pa.large_list(pa.int32())


def behaviors(**columns):
    table = {
        "impression_id": pa.array([5, 9], pa.uint32()),
        "impression_time": pa.array([MOMENT, MOMENT], pa.timestamp("us")),
        "article_ids_inview": pa.array([[10, 11, 12], [11]], IDS),
        "article_ids_clicked": pa.array([[12, 10], []], IDS),
        "user_id": pa.array([1, 2], pa.uint32()),
        "next_read_time": pa.array([20.0, None], pa.float32()),
        "gender": pa.array([1, None], pa.int8()),
        "age": pa.array([40, None], pa.int8()),
        "extra": [0, 0],
    }
    return pa.table(table | columns)


def history(**columns):
    moments = [MOMENT - dt.timedelta(days=days) for days in (1, 3)]
    table = {
        "user_id": pa.array([1], pa.uint32()),
        "impression_time_fixed": pa.array([moments], pa.large_list(pa.timestamp("us"))),
        "article_id_fixed": pa.array([[7, 8]], IDS),
    }
    return pa.table(table | columns)


@pytest.fixture
def split(tmp_path):
    pq.write_table(behaviors(), tmp_path / "behaviors.parquet")
    pq.write_table(history(), tmp_path / "history.parquet")
    return tmp_path


def test_each_news_in_view_is_one_impression(split):
    shown = tables(ebnerd.read, split)[0]["impressions"]
    assert shown["slate_id"].tolist() == [5, 5, 5, 9]
    assert shown["news_id"].tolist() == ["10", "11", "12", "11"]
    assert shown["clicked"].tolist() == [True, False, True, False]
    assert shown["user_id"].tolist() == ["1", "1", "1", "2"]
    assert str(shown["time"].iloc[0]) == "2023-05-18 07:00:00+00:00"


def test_the_time_read_belongs_to_the_first_news_clicked(split):
    dwell = tables(ebnerd.read, split)[0]["impressions"]["dwell_seconds"].to_numpy()
    assert np.array_equal(dwell, [np.nan, np.nan, 20.0, np.nan], equal_nan=True)


def test_attributes_are_missing_where_the_log_has_none(split):
    known = tables(ebnerd.read, split)[0]["attributes"]
    by_reader = known.set_index("user_id")
    assert by_reader.loc["1"].tolist() == ["F", "40-49"]
    assert by_reader.loc["2"].isna().all()


def test_an_attribute_known_from_one_slate_is_known(split):
    table = behaviors(user_id=pa.array([1, 1]), gender=pa.array([None, 0], pa.int8()))
    pq.write_table(table, split / "behaviors.parquet")
    known = tables(ebnerd.read, split)[0]["attributes"]
    assert known[["user_id", "gender"]].to_numpy().tolist() == [["1", "M"]]


def test_a_history_is_in_order_of_time_and_known_at_its_end(split):
    histories = tables(ebnerd.read, split)[0]["histories"]
    assert histories["history"].iloc[0].tolist() == ["8", "7"]
    assert str(histories["time"].iloc[0]) == "2023-05-17 07:00:00+00:00"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"impression_id": [5, 5]}, "2: expected impression_id: no duplicate"),
        ({"user_id": pa.array([1, None])}, "2: expected user_id: a value"),
        ({"article_ids_inview": pa.array([[10, 12], []], IDS)}, "2: expected some news in view"),
        ({"article_ids_inview": pa.array([[10, 12], [3, 3]], IDS)}, "2: expected some news in vi"),
        ({"article_ids_clicked": pa.array([[12], [99]], IDS)}, "2: expected only clicks on news"),
        ({"gender": pa.array([1, 2], pa.int8())}, "2: expected gender: 0, 1 or nothing, found '2'"),
        ({"gender": pa.array([1, -1], pa.int8())}, "2: expected gender: 0, 1 or nothing"),
        ({"age": pa.array([40, -1], pa.int8())}, "2: expected age: 0 to 119"),
        ({"next_read_time": pa.array([-1.0, 2.0])}, "1: expected next_read_time: at least 0"),
    ],
)
def test_a_bad_row_is_named_and_may_be_skipped(split, columns, message):
    pq.write_table(behaviors(**columns), split / "behaviors.parquet")
    with pytest.raises(DataError, match=f"behaviors.parquet:{message}"):
        tables(ebnerd.read, split)
    whole, dropped = tables(ebnerd.read, split, skip=True)
    assert whole["impressions"]["slate_id"].nunique() == 1
    assert sum(dropped.values()) == 1


def test_a_history_without_a_time_for_each_news_is_named(split):
    pq.write_table(history(article_id_fixed=pa.array([[7]], IDS)), split / "history.parquet")
    with pytest.raises(
        DataError, match=r"history.parquet:1: expected some history, a time for each"
    ):
        tables(ebnerd.read, split)


def test_the_test_set_without_clicks_is_refused(split):
    pq.write_table(behaviors().drop_columns("article_ids_clicked"), split / "behaviors.parquet")
    with pytest.raises(DataError, match="column 'article_ids_clicked' is missing"):
        tables(ebnerd.read, split)


@pytest.mark.shared
def test_the_real_slice_has_its_known_counts(shared_data):
    whole, _ = tables(ebnerd.read, shared_data / "ebnerd")
    shown = whole["impressions"]
    assert (shown["slate_id"].nunique(), shown["clicked"].sum()) == (1046, 1047)
    raw = pq.read_table(shared_data / "ebnerd" / "behaviors.parquet").to_pandas()
    missing = raw.groupby("user_id")["gender"].first().isna()
    found = whole["attributes"].set_index("user_id")["gender"].isna()
    assert {str(user) for user in missing.index[missing]} == set(found.index[found])
