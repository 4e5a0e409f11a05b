import numpy as np

from recsys.data.queries import ClickLog
from recsys.ltr.clicks.sessions import Sessions, rectangle, share

LOG = ClickLog(
    np.array([0, 3, 4]),
    np.array([5, 6, 7, 8]),
    np.array([1, 3, 4, 2]),
    np.array([True, False, True, True]),
)


def test_columns_are_positions_and_gaps_are_masked():
    sessions = rectangle(LOG, 3)
    assert sessions.mask.tolist() == [[True, False, True], [False, True, False]]
    assert sessions.documents[sessions.mask].tolist() == [5, 6, 8]
    assert sessions.clicks[sessions.mask].tolist() == [True, False, True]


def test_what_stands_below_the_length_is_left_out():
    assert 7 not in rectangle(LOG, 3).documents


def test_last_click_is_strictly_above():
    clicks = np.array([[True, False, True, False]])
    sessions = Sessions(np.zeros((1, 4), int), clicks, np.ones((1, 4), bool))
    assert sessions.last_click().tolist() == [[0, 1, 1, 3]]


def test_hidden_showings_count_for_no_document():
    sessions = rectangle(LOG, 3)
    assert sessions.by_document(np.ones((2, 3)), 9).tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 1]
    assert sessions.by_position(np.ones((2, 3))).tolist() == [1.0, 1.0, 1.0]


def test_nothing_seen_is_one_half():
    assert share(np.zeros(1), np.zeros(1)).tolist() == [0.5]
