import numpy as np
import pytest

from recsys.propensity.slates import reader_exposure, slate_rate


def test_the_slate_rate_is_the_share_of_the_windows_slates_that_held_the_news():
    # window 0: slates 0 and 1, both with news 5; window 1: slate 2 alone
    windows, slates = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2])
    assert slate_rate(windows, slates, np.array([5, 6, 5, 6])) == pytest.approx([1, 0.5, 1, 1])


def test_reader_exposure_is_one_minus_the_chance_to_miss_at_every_visit(monkeypatch):
    monkeypatch.setattr("recsys.propensity.slates.READERS", 2)
    # news 0 is in 1 of 2 slates of window 0 and in 1 of 4 of window 1; reader 3 visits both
    windows = np.array([0, 0, 1, 1, 1, 1])
    slates, readers = np.arange(6), np.array([3, 1, 3, 0, 1, 2])
    news = np.array([0, 1, 1, 0, 1, 1])
    found = reader_exposure(windows, slates, readers, news)
    assert found[0] == pytest.approx(1 - (1 - 1 / 2) * (1 - 1 / 4))
    assert found[3] == pytest.approx(1 / 4)
    assert found[1] == pytest.approx(1 - (1 - 1 / 2) * (1 - 3 / 4))
