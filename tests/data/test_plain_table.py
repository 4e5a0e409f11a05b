import numpy as np
import pandas as pd
import pytest

from recsys.data import plain_table
from recsys.errors import DataError


def test_rows_are_counted_through_all_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_table, "CHUNK_ROWS", 2)
    pd.DataFrame({"x": range(5)}).to_csv(tmp_path / "t.csv", index=False)
    parts = list(plain_table.stream(tmp_path / "t.csv", ["x"]))
    assert [part.index.tolist() for part in parts] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("value", [-1, 2, "x", np.nan])
def test_a_value_out_of_range_is_named_with_its_line(value):
    frame = pd.DataFrame({"x": [0.5, value]}, index=[10, 11], dtype=object)
    with pytest.raises(DataError, match=r"t\.csv:13: x: expected a share, found"):
        plain_table.numbers("t.csv", frame, "x", low=0, high=1, expected="a share")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_a_number_is_finite_though_no_range_is_given(value):
    with pytest.raises(DataError, match=r"t\.csv:2: x: expected a number, found -?inf"):
        plain_table.numbers("t.csv", pd.DataFrame({"x": [value]}), "x")
