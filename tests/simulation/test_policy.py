from itertools import permutations

import numpy as np
import pytest

from recsys.simulation import policy
from recsys.simulation.policy import LeftOut

NOBODY = LeftOut(np.empty(0, int), np.empty(0, int))


def slate_probability(weights, slate):
    """Plackett-Luce: the product, place by place, of weight over what is left."""
    left, probability = 1.0, 1.0
    for news in slate:
        probability *= weights[news] / left
        left -= weights[news]
    return probability


def test_weights_mix_popularity_with_chance():
    weights = policy.weights(np.array([1.0, 3.0]), bias=2.0, exploration=0.2)
    np.testing.assert_allclose(weights, [0.8 * 1 / 10 + 0.1, 0.8 * 9 / 10 + 0.1])


def test_without_bias_all_are_alike():
    np.testing.assert_allclose(policy.weights(np.array([1.0, 9.0, 4.0]), 0.0, 0.1), 1 / 3)


def test_logged_propensities_are_those_of_drawing_without_replacement():
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    shown, propensity = policy.draw(
        weights, NOBODY, slates=500, places=3, rng=np.random.default_rng(0)
    )
    expected = [slate_probability(weights, slate) for slate in shown]
    np.testing.assert_allclose(propensity.prod(axis=1), expected)


def test_slates_come_as_often_as_their_propensity_says():
    weights, slates = np.array([0.5, 0.3, 0.15, 0.05]), 40_000
    shown, _ = policy.draw(weights, NOBODY, slates=slates, places=2, rng=np.random.default_rng(1))
    for slate in permutations(range(4), 2):
        p = slate_probability(weights, slate)
        share = np.mean((shown == slate).all(axis=1))
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / slates)


def test_what_is_left_out_is_not_shown_and_the_others_share_its_chance():
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    left_out = LeftOut(np.array([0, 1]), np.array([0, 3]))
    shown, propensity = policy.draw(
        weights, left_out, slates=2, places=3, rng=np.random.default_rng(2)
    )
    assert set(shown[0]) == {1, 2, 3}
    assert set(shown[1]) == {0, 1, 2}
    assert propensity[0, 0] == pytest.approx(weights[shown[0, 0]] / 0.6)
    np.testing.assert_allclose(propensity[:, 2], 1.0)


def test_inclusion_is_the_chance_to_be_in_a_slate():
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    expected = [
        sum(slate_probability(weights, pair) for pair in permutations(range(4), 2) if news in pair)
        for news in range(4)
    ]
    found = policy.inclusion(weights, NOBODY, draws=4_000, places=2, rng=np.random.default_rng(3))
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_inclusion_grows_with_what_is_left_out():
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    left_out = LeftOut(np.array([0]), np.array([0])).repeated(1, 2_000)
    found = policy.inclusion(weights, left_out, draws=2_000, places=1, rng=np.random.default_rng(4))
    np.testing.assert_allclose(found[1:], weights[1:] / 0.6, rtol=0.05)
