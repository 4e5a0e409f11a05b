import numpy as np
import pandas as pd
import pytest

from recsys.data import plain_table
from recsys.errors import DataError


def test_lines_are_counted_through_all_parts_and_in_parquet_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_table, "CHUNK_ROWS", 2)
    table = pd.DataFrame({"x": range(5)})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    for name, lines in (
        ("t.csv", [[2, 3], [4, 5], [6]]),
        ("t.parquet", [[1, 2], [3, 4], [5]]),
    ):
        parts = plain_table.stream(tmp_path / name, ["x"])
        assert [part.index.tolist() for part in parts] == lines


def test_names_stay_as_they_stand_whatever_their_part_of_the_table_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_table, "CHUNK_ROWS", 2)
    names = ["7", "007", "NA", "None", "9007199254740993", "18446744073709551617"]
    (tmp_path / "t.csv").write_text("\n".join(["id", *names]) + "\n")
    path = tmp_path / "t.csv"
    parts = plain_table.stream(path, ["id"], texts=["id"])
    assert [name for part in parts for name in plain_table.names(path, part, "id")] == names


@pytest.mark.parametrize(("name", "line"), [("t.csv", 3), ("t.parquet", 2)])
def test_a_row_without_a_name_is_named(tmp_path, name, line):
    path = tmp_path / name
    table = pd.DataFrame({"id": [2**60 + 1, None], "x": 1}, dtype="Int64")
    write = table.to_parquet if path.suffix == ".parquet" else table.to_csv
    write(path)
    (part,) = plain_table.stream(path, ["id"], texts=["id"])
    with pytest.raises(DataError, match=rf"{name}:{line}: id: expected a name, found "):
        plain_table.names(path, part, "id")


def test_a_compressed_file_that_was_cut_short_or_is_none_is_named(tmp_path):
    pd.DataFrame({"x": range(50_000)}).to_csv(tmp_path / "t.csv.gz", index=False)
    whole = (tmp_path / "t.csv.gz").read_bytes()
    (tmp_path / "t.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "t.csv.zip").write_bytes(b"no archive")
    for name in ("t.csv.gz", "t.csv.zip"):
        with pytest.raises(DataError, match=f"{name}: expected a CSV or Parquet table"):
            list(plain_table.stream(tmp_path / name, ["x"]))


@pytest.mark.parametrize("value", [-1, 2, "x", np.nan])
def test_a_value_out_of_range_is_named_with_its_line(value):
    frame = pd.DataFrame({"x": [0.5, value]}, index=[10, 11], dtype=object)
    with pytest.raises(DataError, match=r"t\.csv:11: x: expected a share, found"):
        plain_table.numbers("t.csv", frame, "x", low=0, high=1, expected="a share")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_a_number_is_finite_though_no_range_is_given(value):
    with pytest.raises(DataError, match=r"t\.csv:0: x: expected a number, found -?inf"):
        plain_table.numbers("t.csv", pd.DataFrame({"x": [value]}), "x")
