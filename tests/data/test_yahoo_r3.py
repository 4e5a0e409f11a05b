import pytest

from recsys.data.dataset import Dataset
from recsys.data.raw import RawFolder
from recsys.data.sources import yahoo_r3
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError

STEM = "ydata-ymusic-rating-study-v1_0-"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / f"{STEM}train.txt").write_text("1\t14\t5\n1\t35\t1\n2\t14\t3\n")
    (tmp_path / f"{STEM}test.txt").write_text("1\t49\t1\n")
    return tmp_path


def test_both_parts_become_ratings_with_the_randomised_marked(folder, tmp_path):
    with DatasetWriter(tmp_path / "out", "yahoo_r3") as writer:
        for name, table in yahoo_r3.read(RawFolder(folder)):
            writer.add(name, table)
    ratings = Dataset.open(tmp_path / "out").ratings
    assert ratings["value"].tolist() == [5, 1, 3, 1]
    assert ratings["randomised"].tolist() == [False, False, False, True]
    assert writer and Dataset.open(tmp_path / "out").info.counts.news == 3


@pytest.mark.parametrize(
    ("line", "expected"),
    [("1\t14\t6", "value: an integer from 1 to 5"), ("1\t14", "3 fields"), ("x\t1\t1", "user_id")],
)
def test_a_bad_line_is_named(folder, line, expected):
    (folder / f"{STEM}test.txt").write_text(f"1\t49\t1\n{line}\n")
    with pytest.raises(DataError, match=rf"test.txt:2: expected {expected}"):
        list(yahoo_r3.read(RawFolder(folder)))


def test_a_missing_part_is_named(folder):
    (folder / f"{STEM}test.txt").unlink()
    with pytest.raises(DataError, match=r"test.txt: the file is missing"):
        list(yahoo_r3.read(RawFolder(folder)))
