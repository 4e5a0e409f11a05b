import numpy as np
import pytest

from recsys.evaluation.reward_model import cross_fit


def test_learns_what_each_action_pays_in_each_context():
    rng = np.random.default_rng(0)
    context = rng.normal(size=(5000, 1))
    actions = rng.integers(3, size=5000)
    pays = np.array([0.1, 0.5, 0.9])
    rewards = pays[actions] + 0.2 * context[:, 0] + rng.normal(size=5000) * 0.1
    guesses = cross_fit(context, actions, rewards, 3, rng=rng)
    assert np.abs(guesses - (pays + 0.2 * context)).max() < 0.05


def test_no_round_is_predicted_from_itself():
    rewards = np.zeros(30)
    rewards[7] = 1000.0
    context = np.zeros((30, 1))
    guesses = cross_fit(context, np.zeros(30, int), rewards, 1, rng=np.random.default_rng(1))
    others = np.delete(np.arange(30), 7)
    assert guesses[7, 0] == pytest.approx(0.0)
    assert guesses[others].max() > 1


def test_an_action_never_logged_gets_the_mean():
    rng = np.random.default_rng(0)
    rewards = rng.random(300)
    guesses = cross_fit(np.zeros((300, 1)), np.zeros(300, int), rewards, 2, rng=rng)
    assert guesses[:, 1] == pytest.approx(rewards.mean(), abs=0.05)
