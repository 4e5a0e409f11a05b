import numpy as np
import pytest

from recsys.training.views import PRIOR_CLICKS, views_of
from tests.training.logs import log_from

TOPIC = np.array([0, 0, 1, 1])
NEWS = np.array([[0, 1, 2, 3, 0, 2], [0, 1, 2, 3, 1, 3], [2, 2, 2, 2, 0, 0]])
CLICKED = np.array([[1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1], [1, 0, 1, 0, 1, 0]], dtype=bool)


def likings(clicked, train):
    return views_of(log_from(NEWS, clicked, 4), [TOPIC], train, seed=0).likings


def test_likings_compare_clicks_with_offers_of_each_topic():
    found = likings(CLICKED, np.arange(9))
    # The last offers of the first and the last reader came after their last click: not counted.
    rate = 9 / 16
    liked, offered = np.array([[3, 0], [0, 3], [1, 2]]), np.array([[3, 2], [3, 3], [1, 4]])
    wanted = np.log((liked + PRIOR_CLICKS) / (rate * offered + PRIOR_CLICKS))
    np.testing.assert_allclose(found, wanted)


def test_clicks_held_out_are_neither_clicked_nor_passed_over():
    train = np.array([0, 2, 3, 4, 5, 6, 7, 8])  # the first reader's second click is held out
    found = likings(CLICKED, train)
    rate = 8 / 15
    wanted = np.log((2 + PRIOR_CLICKS) / (rate * 2 + PRIOR_CLICKS))
    assert found[0, 0] == pytest.approx(wanted)


def test_a_log_of_clicks_alone_tells_no_likings():
    assert likings(np.ones_like(CLICKED), np.arange(NEWS.size)).shape == (3, 0)
