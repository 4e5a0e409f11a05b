import pyarrow as pa
import pytest

from recsys.data.dataset import Dataset
from recsys.data.reading_log import read
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError
from tests.data.tables import impressions, news, times

ROWS = (
    (1, "u", "a", True),
    (1, "u", "b", False),
    (2, "v", "b", True),
    (3, "u", "x", True),  # not in the news table
    (3, "u", "a", False),
)


def log_of(path, *rows, histories=None):
    with DatasetWriter(path / "dataset", "test") as writer:
        writer.news(news("a", "b"))
        writer.impressions(impressions(*rows))
        if histories is not None:
            writer.histories(histories)
    return read(Dataset.open(path / "dataset"))


def clicks_of(log, user):
    reader = log.user_ids.index(user)
    start, end = log.clicks.offsets[reader : reader + 2]
    return [log.news_ids[row] for row in log.clicks.news[start:end]]


def test_clicks_stand_reader_by_reader_in_order_of_time(tmp_path):
    log = log_of(tmp_path, *ROWS)
    assert clicks_of(log, "u") == ["a", "x"]
    assert clicks_of(log, "v") == ["b"]


def test_slates_are_in_order_of_time_whatever_order_they_were_written_in(tmp_path):
    log = log_of(tmp_path, *ROWS[3:], *ROWS[:3])
    assert log.shown.ids.tolist() == [1, 2, 3]
    assert clicks_of(log, "u") == ["a", "x"]


def test_news_without_description_come_after_those_of_the_table(tmp_path):
    log = log_of(tmp_path, *ROWS)
    assert log.news_ids[: log.num_described] == ["a", "b"]
    assert log.news_ids[log.num_described :] == ["x"]


def test_what_was_known_at_the_first_slate_comes_before_the_logs_clicks(tmp_path):
    histories = pa.table(
        {
            "user_id": ["u", "u", "u", "v", "stranger"],
            "time": times(3, 1, 0, 3, 1),  # u's first slate is at 1, v's at 2
            "history": [["old", "b", "a"], ["old", "b"], ["old"], ["b"], ["z"]],
        }
    )
    log = log_of(tmp_path, *ROWS, histories=histories)
    assert clicks_of(log, "u") == ["old", "b", "a", "x"]
    assert clicks_of(log, "v") == ["b"]  # the history of later repeats it
    assert "stranger" not in log.user_ids
    assert (log.clicks.slate[:2] == -1).all()


def test_each_click_knows_its_impression_and_slate(tmp_path):
    log = log_of(tmp_path, *ROWS)
    assert (log.shown.news[log.clicks.impression] == log.clicks.news).all()
    assert log.shown.clicked[log.clicks.impression].all()
    assert log.shown.ids[log.clicks.slate].tolist() == [1, 3, 2]


def test_a_log_without_clicks_cannot_be_learned_from(tmp_path):
    with pytest.raises(DataError, match="no impression was clicked"):
        log_of(tmp_path, (1, "u", "a", False))
