from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ranker.exploration import fill
from recsys.ranker.pool import Pool


def pool_of(*rows):
    return Pool(100, len(rows), rows=np.array(sorted(rows), np.int64))


def test_without_exploration_the_best_stand_there_for_sure():
    best = np.array([4, 2])
    rows, propensities = fill(best, pool_of(1, 2, 3, 4), explore=0.0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(rows, best)
    np.testing.assert_array_equal(propensities, [1, 1])


def test_the_only_news_left_stands_there_for_sure():
    _, propensities = fill(np.array([7]), pool_of(7), explore=0.5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(propensities, [1])


def law(slate, ranking, explore):
    """P(slate) from the docstring's formula, place by place."""
    probability, left = 1.0, list(ranking)
    for row in slate:
        probability *= explore / len(left) + (1 - explore) * (row == left[0])
        left.remove(row)
    return probability


@pytest.mark.parametrize("explore", [0.3, 1.0])
def test_slates_come_as_often_as_their_propensities_say(explore):
    """Chi-squared with 11 degrees of freedom stays below 31.3 but once in a thousand seeds."""
    ranking, rng, draws = [5, 3, 8, 1], np.random.default_rng(7), 4_000
    slates = Counter()
    for _ in range(draws):
        rows, propensities = fill(
            np.array(ranking[:2]), pool_of(*ranking), explore=explore, rng=rng
        )
        slate = tuple(rows.tolist())
        slates[slate] += 1
        assert np.prod(propensities, dtype=float) == pytest.approx(law(slate, ranking, explore))
    expected = {slate: draws * law(slate, ranking, explore) for slate in permutations(ranking, 2)}
    assert sum((slates[one] - n) ** 2 / n for one, n in expected.items()) < 31.3


@given(st.integers(1, 30), st.integers(0, 50), st.floats(0, 1), st.integers(0, 99))
def test_a_slate_holds_eligible_news_once_with_possible_propensities(k, more, explore, seed):
    rng = np.random.default_rng(seed)
    members = rng.permutation(100)[: k + more]
    pool = pool_of(*members.tolist())
    rows, propensities = fill(members[:k], pool, explore=explore, rng=rng)
    assert len(set(rows.tolist())) == len(rows) == len(propensities) == k
    assert set(rows.tolist()) <= set(members.tolist())
    assert ((propensities > 0) & (propensities <= 1)).all()


def test_the_same_seed_draws_the_same_slate():
    best, pool = np.arange(10), pool_of(*range(50))
    first, second = (
        fill(best, pool, explore=0.5, rng=np.random.default_rng(3))[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
