import pytest

from recsys.data.dataset import Dataset
from recsys.data.raw import RawFolder
from recsys.data.sources import kuairec
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError

HEADER = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
BIG = "0,3649,13838,10867,2020-07-05 00:08:23.438,20200705,1593878903.438,1.27\n"
SMALL = "14,148,4381,6067,,,,0.72\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "big_matrix.csv").write_text(HEADER + BIG)
    (tmp_path / "small_matrix.csv").write_text(HEADER + SMALL)
    return tmp_path


def write(folder, out):
    with DatasetWriter(out, "kuairec") as writer:
        for name, table in kuairec.read(RawFolder(folder)):
            writer.add(name, table)
    return Dataset.open(out)


def test_the_watch_ratio_is_the_value_and_the_small_matrix_is_randomised(folder, tmp_path):
    ratings = write(folder, tmp_path / "out").ratings
    assert ratings["value"].tolist() == pytest.approx([1.27, 0.72])
    assert ratings["randomised"].tolist() == [False, True]
    assert ratings["time"][0].isoformat() == "2020-07-04T16:08:23.438000+00:00"
    assert ratings["time"].isna().tolist() == [False, True]


def test_tags_and_reader_ranges_are_taken_where_they_are_there(folder, tmp_path):
    (folder / "item_categories.csv").write_text('video_id,feat\n148,"[27, 9]"\n3649,[8]\n')
    ranges = ",".join(kuairec.READER_COLUMNS)
    (folder / "user_features.csv").write_text(f"user_id,{ranges}\n14,full_active,a,b,c,d\n")
    dataset = write(folder, tmp_path / "out")
    assert dataset.news.set_index("news_id").loc["148", ["category", "subcategory"]].tolist() == [
        "27",
        "9",
    ]
    assert dataset.attributes["user_active_degree"].tolist() == ["full_active"]


def test_another_header_is_refused(folder):
    (folder / "small_matrix.csv").write_text(SMALL)
    with pytest.raises(
        DataError, match=r"small_matrix.csv:1: expected the header user_id,video_id"
    ):
        list(kuairec.read(RawFolder(folder)))


def test_a_bad_ratio_is_named(folder):
    (folder / "big_matrix.csv").write_text(HEADER + BIG + BIG.replace("1.27", "-1"))
    with pytest.raises(DataError, match=r"big_matrix.csv:3: expected watch_ratio.*'-1'"):
        list(kuairec.read(RawFolder(folder)))


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("1593878903.438", "1593878903438", "timestamp: seconds since 1970, found '15938789"),
        ("1593878903.438", "1e30", "timestamp: seconds since 1970, found '1e30'"),
        ("1.27", "1e39", r"watch_ratio: at most 3.4e\+38, found '1e39'"),
    ],
)
def test_a_time_or_ratio_out_of_range_is_named(folder, good, bad, message):
    (folder / "big_matrix.csv").write_text(HEADER + BIG + BIG.replace(good, bad))
    with pytest.raises(DataError, match=rf"big_matrix.csv:3: expected {message}"):
        list(kuairec.read(RawFolder(folder)))


def test_broken_tags_are_named(folder):
    (folder / "item_categories.csv").write_text("video_id,feat\n148,[8\n")
    with pytest.raises(DataError, match=r"item_categories.csv: expected video ids and lists"):
        list(kuairec.read(RawFolder(folder)))
