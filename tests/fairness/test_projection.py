import numpy as np
import pytest

from recsys.fairness.projection import separating_map
from tests.fairness.vectors import genders, noise, with_linear_bit


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def _difference(points, labels):
    return points[labels == 1, 0].mean() - points[labels == 0, 0].mean()


def test_a_leak_is_seen(rng):
    values = genders(rng, 500)
    labels = (np.array(values) == "F").astype(int)
    points = separating_map(with_linear_bit(noise(rng, 500), values), labels, seed=0)
    assert points.shape == (500, 2)
    assert _difference(points, labels) > 1
    np.testing.assert_allclose(points.std(axis=0), 1, rtol=0.1)


def test_where_nothing_leaks_nothing_is_seen(rng):
    """In 64 dimensions a fit to all readers would tell 100 of them apart at will."""
    labels = (np.array(genders(rng, 100)) == "F").astype(int)
    points = separating_map(noise(rng, 100, 64), labels, seed=0)
    assert abs(_difference(points, labels)) < 0.6


def test_more_than_two_values_have_a_map(rng):
    labels = rng.integers(3, size=300)
    vectors = noise(rng, 300)
    vectors[:, 0] += 3 * labels
    points = separating_map(vectors, labels, seed=0)
    assert abs(np.corrcoef(points[:, 0], labels)[0, 1]) > 0.7


def test_readers_who_are_all_alike_stand_in_the_middle():
    labels = np.repeat([0, 1], 10)
    assert not separating_map(np.full((20, 4), 0.3, np.float16), labels, seed=0).any()
