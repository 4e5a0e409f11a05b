import pyarrow as pa
import pytest

from recsys.data import schema
from recsys.errors import DataError
from tests.data.tables import TWO_SLATES, impressions, news


def test_columns_are_ordered_and_absent_ones_filled_with_nulls():
    table = schema.conform("news", pa.table({"title": ["T"], "news_id": ["a"]}))
    assert table.column_names == schema.NEWS.names
    assert table["provider"].to_pylist() == [None]


def test_ids_of_impressions_are_codes_into_their_distinct_values():
    table = schema.conform("impressions", impressions(*TWO_SLATES))
    assert table["news_id"].combine_chunks().dictionary.to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("news", pa.table({"news_id": ["a"]}), "'title' is missing"),
        ("news", news("a").append_column("body", [["B"]]), "unknown column 'body'"),
        ("news", news(None), "news_id: 1 values are null"),
        (
            "news",
            news("a").append_column("embedding", [[[1.0]]]),
            "embedding: expected a fixed-size list",
        ),
        ("impressions", impressions(*TWO_SLATES, position=pa.array([1, 2, 70000])), "position"),
        (
            "impressions",
            impressions(*TWO_SLATES, time=pa.array([0, 0, 0], pa.timestamp("us"))),
            "expected times in UTC",
        ),
        (
            "attributes",
            pa.table({"user_id": ["u"], "gender": [[1]]}),
            "gender: expected string",
        ),
    ],
)
def test_a_table_of_another_form_is_refused(name, table, message):
    with pytest.raises(DataError, match=message):
        schema.conform(name, table)


def test_times_of_another_zone_become_utc():
    local = pa.array([0, 0, 0], pa.timestamp("us", "Europe/Oslo"))
    table = schema.conform("impressions", impressions(*TWO_SLATES, time=local))
    assert table["time"].type == schema.TIME
