import numpy as np
import pytest

from recsys.simulation.taste import Axes, Bend
from recsys.simulation.titles import Lexicon


@pytest.fixture(scope="module")
def axes():
    return Axes.of(Lexicon.load())


def test_a_news_is_a_point_on_its_three_axes(axes):
    point = axes.points(np.array([2]), np.array([5]), np.array([1]))[0]
    assert set(np.flatnonzero(point)) == {2, axes.topics + 5, axes.topics + axes.sections + 1}


def test_crossed_pairs_differ_between_groups_in_covariance_but_not_in_mean(axes):
    rng = np.random.default_rng(0)
    bend = Bend.draw(axes, 2, rng)
    bend.shift[:] = 0
    personal = rng.standard_normal((50_000, len(axes.spread)))
    first, second = bend.pairs[0]
    covariance = []
    for group in (0, 1):
        changed = personal + 3 * bend.change(personal, np.full(len(personal), group))
        assert abs(changed[:, second].mean()) < 0.04
        covariance.append(np.cov(changed[:, first], changed[:, second])[0, 1])
    assert covariance[0] < -0.4
    assert covariance[1] > 0.4


def test_shifts_are_zero_on_average_over_groups(axes):
    bend = Bend.draw(axes, 4, np.random.default_rng(1))
    np.testing.assert_allclose(bend.shift.mean(axis=0), 0, atol=1e-12)


def test_favourites_are_bent_least(axes):
    bend = Bend.draw(axes, 2, np.random.default_rng(2))
    liked = np.full((1, len(axes.spread)), 3.0)
    change = [np.abs(bend.change(taste, np.array([0]))).sum() for taste in (liked, 0 * liked)]
    assert change[0] < 0.1 * change[1]
