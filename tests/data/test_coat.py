import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.raw import RawFolder
from recsys.data.sources import coat
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """A catalogue of published shape: reader i rates coat i, and coat i + 1 by chance."""
    rng = np.random.default_rng(0)
    (tmp_path / "user_features_map.txt").write_text("gender:men\ngender:women\n")
    (tmp_path / "item_features_map.txt").write_text("jackettype:pea\ncolor:red\ncolor:blue\n")
    sex = rng.integers(2, size=290)
    np.savetxt(tmp_path / "user_features.ascii", np.eye(2)[sex], fmt="%d")
    np.savetxt(tmp_path / "item_features.ascii", np.tile([1, 0, 1], (300, 1)), fmt="%d")
    train, test = np.zeros((290, 300)), np.zeros((290, 300))
    train[np.arange(290), np.arange(290)] = 5
    test[np.arange(290), np.arange(290) + 1] = 1
    np.savetxt(tmp_path / "train.ascii", train, fmt="%d")
    np.savetxt(tmp_path / "test.ascii", test, fmt="%d")
    return tmp_path


def write(folder, out):
    with DatasetWriter(out, "coat") as writer:
        for name, table in coat.read(RawFolder(folder)):
            writer.add(name, table)
    return Dataset.open(out)


def test_zeros_are_no_ratings_and_the_test_part_is_randomised(folder, tmp_path):
    ratings = write(folder, tmp_path / "out").ratings
    assert len(ratings) == 580
    assert ratings.groupby("randomised")["value"].unique().map(list).to_dict() == {
        False: [5.0],
        True: [1.0],
    }
    assert ratings.iloc[7][["user_id", "news_id"]].tolist() == ["7", "7"]


def test_indicators_become_attributes_categories_and_titles(folder, tmp_path):
    dataset = write(folder, tmp_path / "out")
    assert set(dataset.attributes["gender"]) == {"men", "women"}
    assert dataset.news.iloc[0][["title", "category", "subcategory"]].tolist() == [
        "blue pea jacket",
        "pea",
        "blue",
    ]
    assert dataset.news["embedding"].iloc[0].tolist() == [1, 0, 1]


def test_a_rating_out_of_range_names_file_and_line(folder):
    lines = (folder / "test.ascii").read_text().splitlines()
    lines[2] = "9" + lines[2][1:]
    (folder / "test.ascii").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"test.ascii:3: expected 0: an integer from 0 to 5"):
        list(coat.read(RawFolder(folder)))


def test_a_bad_line_is_never_skipped_for_it_would_shift_the_readers(folder):
    lines = (folder / "train.ascii").read_text().splitlines()
    (folder / "train.ascii").write_text("\n".join([*lines[:-1], "x y z"]))
    with pytest.raises(DataError, match="expected 290 good lines, found 289"):
        list(coat.read(RawFolder(folder, skip_bad_rows=True)))


@pytest.mark.shared
def test_coat_as_published(shared_data, tmp_path):
    dataset = write(shared_data / "coat", tmp_path / "out")
    assert dataset.ratings["randomised"].value_counts().to_dict() == {False: 6960, True: 4640}
    assert dataset.info.attributes == ["gender", "age", "location", "fashioninterest"]
    assert dataset.ratings["news_id"].nunique() == dataset.info.counts.news == 300
