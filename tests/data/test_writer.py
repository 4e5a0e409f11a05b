import json

import pytest

from recsys.data.bad_rows import BadRows
from recsys.data.dataset import Dataset
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError
from tests.data.tables import TWO_SLATES, impressions, news


def write(out, **options):
    with DatasetWriter(out, "test", **options) as writer:
        writer.news(news("a", "b"))
        writer.impressions(impressions(*TWO_SLATES))


def test_a_dataset_appears_whole_and_alone(tmp_path):
    write(tmp_path / "deep" / "d")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["d"]
    names = {path.name for path in (tmp_path / "deep" / "d").iterdir()}
    assert names == {"news.parquet", "impressions.parquet", "dataset.json"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path, error):
    with pytest.raises(error), DatasetWriter(tmp_path / "d", "test") as writer:
        writer.news(news("a"))
        raise error
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_does_not_hold_together_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="empty"), DatasetWriter(tmp_path / "d", "test") as writer:
        writer.news(news("a"))
    assert not list(tmp_path.iterdir())


def test_the_same_tables_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_dataset_is_not_overwritten_unasked(tmp_path):
    write(tmp_path / "d")
    with pytest.raises(DataError, match="a dataset is there already"):
        write(tmp_path / "d")
    write(tmp_path / "d", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_dataset_survives_a_failed_replacement(tmp_path):
    write(tmp_path / "d")
    with pytest.raises(DataError), DatasetWriter(tmp_path / "d", "test", replace=True):
        pass
    assert Dataset.open(tmp_path / "d").info.counts.impressions == 3


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="is no dataset"):
        write(tmp_path, replace=True)
    assert (tmp_path / "thesis.tex").exists()


def test_other_files_travel_with_the_folder(tmp_path):
    with DatasetWriter(tmp_path / "d", "test") as writer:
        writer.impressions(impressions(*TWO_SLATES))
        (writer.folder / "truth").mkdir()
        (writer.folder / "truth" / "relevance").write_text("1")
    assert (tmp_path / "d" / "truth" / "relevance").read_text() == "1"


def test_what_was_left_out_is_reported(tmp_path):
    rows = BadRows(skip=True)
    rows.reject(tmp_path / "log", [3], "an id", [""])
    write(tmp_path / "d", bad_rows=rows)
    assert Dataset.open(tmp_path / "d").info.dropped == {"log: expected an id": 1}
    assert json.loads((tmp_path / "d" / "rejected.json").read_text())["rows"] == 1
