import json
from pathlib import Path

import pytest

from recsys.data.bad_rows import MAX_SAMPLES, MAX_SHOWN_CHARS, BadRows
from recsys.errors import DataError

FILE = Path("raw/u.data")


def test_the_first_bad_row_is_an_error_that_names_the_place():
    with pytest.raises(DataError, match=r"raw/u\.data:7: expected a time, found 'soon'"):
        BadRows(skip=False).reject(FILE, [7, 9], "a time", ["soon", "late"])


def test_no_bad_row_is_no_error():
    rows = BadRows(skip=False)
    rows.reject(FILE, [], "a time", [])
    assert rows.counts() == {}


def test_skipped_rows_are_counted_by_reason():
    rows = BadRows(skip=True)
    rows.reject(FILE, [7, 9], "a time", ["soon", "late"])
    rows.reject(FILE, [8], "an id", [""])
    rows.leave_out(FILE, 3, "front pages")
    rows.leave_out(FILE, 0, "nothing of this kind")
    assert rows.counts() == {
        "u.data: expected a time": 2,
        "u.data: expected an id": 1,
        "u.data: front pages": 3,
    }


def test_the_report_samples_rows_and_shortens_long_ones(tmp_path):
    rows = BadRows(skip=True)
    many = MAX_SAMPLES + 5
    rows.reject(FILE, range(1, many + 1), "a time", ["ø" * 1000] * many)
    rows.write(tmp_path / "rejected.json")
    report = json.loads((tmp_path / "rejected.json").read_text(encoding="utf-8"))
    [reason] = report["reasons"]
    assert report["rows"] == reason["count"] == many
    assert len(reason["samples"]) == MAX_SAMPLES
    assert reason["samples"][0] == {"at": "u.data:1", "found": "ø" * MAX_SHOWN_CHARS + "…"}
