from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.bad_rows import BadRows
from recsys.data.rows import Rows, known, nth
from recsys.data.tally import Seen
from recsys.errors import DataError


def rows_of(*values, skip=True):
    table = pa.table({"x": pa.array(values)})
    return Rows(Path("f"), table, np.arange(1, len(values) + 1), BadRows(skip=skip))


def test_rows_that_are_not_as_demanded_go_with_their_lines():
    rows = rows_of("a", "b", "c").demand(np.array([True, False, True]), "not b", "x")
    assert rows["x"].to_pylist() == ["a", "c"]
    assert rows.lines.tolist() == [1, 3]
    assert rows.bad_rows.counts() == {"f: expected not b": 1}


def test_a_null_verdict_is_a_refusal():
    assert len(rows_of("a").demand(pa.array([None], pa.bool_()), "a verdict", "x")) == 0


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "12a", "+1", "9" * 19, "6", "-1"])
def test_what_is_no_integer_in_range_is_refused(text):
    with pytest.raises(DataError, match=r"f:2: expected x: an integer from 0 to 5"):
        rows_of("1", text, skip=False).integers("x", 0, 5)


def test_integers_include_both_ends():
    assert rows_of("0", "5").integers("x", 0, 5)["x"].to_pylist() == [0, 5]


@pytest.mark.parametrize(
    "text", ["", "2026-13-01", "2026-02-30", "26-01-01", "2026-01-01 10:00", "soon"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(DataError, match=r"f:1: expected x: a time like 2026-12-31"):
        rows_of(text, skip=False).times("x", "%Y-%m-%d", "2026-12-31")


def test_times_are_in_utc():
    found = rows_of("2026-12-31").times("x", "%Y-%m-%d", "2026-12-31")["x"]
    assert found.type == pa.timestamp("us", "UTC")
    assert str(found[0].as_py()) == "2026-12-31 00:00:00+00:00"


def test_the_second_of_two_equal_values_is_refused_across_blocks():
    seen = Seen()
    rows_of("a", "b", skip=False).unique("x", seen)
    with pytest.raises(DataError, match="f:2: expected x: no duplicate, found 'b'"):
        rows_of("c", "b", skip=False).unique("x", seen)


def test_empty_and_null_are_not_filled():
    assert rows_of("a", "", None).filled("x")["x"].to_pylist() == ["a"]
    assert rows_of("a", "", None).present("x")["x"].to_pylist() == ["a", ""]


def test_nth_of_a_shorter_list_is_null():
    lists = pa.chunked_array([pa.array([["a", "b"], ["c"], []])])
    assert nth(lists, 0).to_pylist() == ["a", "c", None]
    assert nth(lists, 1).to_pylist() == ["b", None, None]


def test_empty_text_is_not_known():
    assert known(pa.array(["a", "", None])).to_pylist() == ["a", None, None]
