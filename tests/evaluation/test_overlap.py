import numpy as np
import pytest

from recsys.evaluation import offpolicy
from recsys.evaluation.overlap import (
    distance,
    effective_sample_size,
    overlap,
    trusted,
    unsupported_mass,
)


def test_equal_weights_count_in_full():
    assert effective_sample_size(np.full(7, 3.0)) == pytest.approx(7.0)


def test_one_weight_counts_once():
    assert effective_sample_size(np.array([0.0, 5.0, 0.0])) == pytest.approx(1.0)


def test_no_weight_counts_for_nothing():
    assert effective_sample_size(np.zeros(3)) == 0.0


def test_weights_beyond_the_square_of_any_number_are_counted():
    assert effective_sample_size(np.array([1e300, 1e300, 1.0])) == pytest.approx(2.0)


def test_a_covered_policy_raises_no_warning():
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(5000) < 0.5, 1.4, 0.6)
    found = overlap(weights, limit=10.0, unsupported=0.0)
    assert found.is_sufficient and found.clipped_mass == 0.0


def test_a_policy_without_support_is_warned_of():
    policy, logging = np.tile([0.0, 1.0], (500, 1)), np.tile([1.0, 0.0], (500, 1))
    missing = unsupported_mass(policy, logging)
    found = overlap(np.zeros(500), limit=10.0, unsupported=missing)
    assert missing == 1.0 and not found.is_sufficient
    assert "never occur" in found.warnings[0]
    assert "extrapolation" in trusted(found, has_model=True, disagreement=0.0)[0]


def test_wrong_propensities_show_in_the_mean_weight():
    found = overlap(np.full(1000, 2.0), limit=10.0)
    told = "mean weight 2.000 (standard error 0.000) is not 1:"
    assert any(told in text for text in found.warnings)


@pytest.mark.parametrize("weights", [np.ones(1000), np.r_[np.ones(999), 200.0]])
def test_without_a_model_no_estimator_that_needs_one_is_spoken_of(weights):
    said = trusted(overlap(weights, limit=10.0), has_model=False, disagreement=0.0)
    assert said and "DR" not in " ".join(said)


def test_one_heavy_round_is_named():
    weights = np.ones(1000)
    weights[0] = 500.0
    found = overlap(weights, limit=10.0)
    assert any("one round holds 33%" in text for text in found.warnings)
    assert found.clipped_mass == pytest.approx(490 / 1499)


def test_a_contradicting_reward_model_is_not_to_be_used():
    rng = np.random.default_rng(0)
    rewards = (rng.random(1000) < 0.5).astype(float)
    weighted = offpolicy.snips(rewards, np.ones(1000))
    gap = distance(offpolicy.direct_method(np.full(1000, 0.9)), weighted)
    found = overlap(np.ones(1000), limit=10.0)
    assert gap > 10
    (said,) = trusted(found, True, gap)  # nothing of the weights, which are even
    assert "direct method" in said


def test_a_model_that_is_off_by_little_shows_where_rewards_hardly_vary():
    rng = np.random.default_rng(0)
    weights, rewards = rng.exponential(size=5000), 1 + 0.05 * rng.normal(size=5000)
    weighted = offpolicy.snips(rewards, weights)
    gap = distance(offpolicy.direct_method(np.full(5000, 1.01)), weighted)
    error = (weights * (rewards - weighted.value)).std() / weights.mean() / np.sqrt(5000)
    assert gap == pytest.approx(abs(1.01 - weighted.value) / error)
    assert gap > 5


def test_rounding_is_no_contradiction_where_every_reward_is_the_same():
    weighted = offpolicy.snips(np.full(999, 0.3), np.random.default_rng(0).exponential(size=999))
    assert distance(offpolicy.direct_method(np.full(999, 0.3)), weighted) == 0.0
