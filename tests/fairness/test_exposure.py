import numpy as np
import pytest

from recsys.fairness.exposure import (
    exposure_ratio,
    exposure_share,
    least_clicked,
    protected_share,
    rnd,
    share_by_group,
)

OWNER = np.array([0, 0, 1, -1])
SECOND = 1 / np.log2(3)  # attention to the second place


def test_upper_places_give_more_exposure():
    share = exposure_share(np.array([[0, 2]]), OWNER, 2)
    np.testing.assert_allclose(share, np.array([1, SECOND]) / (1 + SECOND))


def test_news_of_unknown_owner_and_empty_places_give_none():
    np.testing.assert_allclose(exposure_share(np.array([[3, -1, 2]]), OWNER, 2), [0, 1])
    assert np.isnan(exposure_share(np.array([[3]]), OWNER, 2)).all()


def test_groups_are_told_apart():
    shares = share_by_group(np.array([[0], [2], [2]]), OWNER, 2, ["F", "M", None])
    np.testing.assert_allclose(shares["F"], [1, 0])
    np.testing.assert_allclose(shares["M"], [0, 1])


def test_protected_owners_have_the_fewest_clicks_a_news():
    clicks = np.array([6.0, 0.0, 4.0, 9.0])  # 3 a news for owner 0, 4 for owner 1
    np.testing.assert_array_equal(least_clicked(clicks, OWNER, 2), [True, False])


def test_protected_share_counts_the_first_k():
    lists, protected = np.array([[0, 2, 2]]), np.array([True, False])
    assert protected_share(lists, OWNER, protected, k=1) == 1
    assert protected_share(lists, OWNER, protected, k=2) == 0.5


def test_exposure_ratio_is_one_where_shown_as_available():
    assert exposure_ratio(0.3, 0.3) == pytest.approx(1)
    assert exposure_ratio(0.2, 0.5) == pytest.approx((0.2 / 0.5) / (0.8 / 0.5))
    assert exposure_ratio(0.0, 0.5) == 0
    assert exposure_ratio(1.0, 0.5) == np.inf
    assert np.isnan(exposure_ratio(0.5, 1.0))


def test_rnd_is_zero_where_fair_and_one_where_nothing_is_shown():
    ks = [10, 30, 50]
    np.testing.assert_allclose(rnd([0.4] * 3, 0.4, ks), 0)
    np.testing.assert_allclose(rnd([0.0] * 3, 0.4, ks), 1)


def test_rnd_weighs_the_top_more():
    first, second = 1 / np.log2(10), 1 / np.log2(30)
    expected = [0.5, (0.5 * first + 0.25 * second) / (first + second)]
    np.testing.assert_allclose(rnd([0.2, 0.3], 0.4, [10, 30]), expected)
