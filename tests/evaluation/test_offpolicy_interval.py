import numpy as np
import pytest

from recsys.evaluation import offpolicy
from recsys.evaluation.offpolicy_interval import MAX_UNITS, bootstrap, empirical_bernstein

TRUTH = 0.6


def logged(rounds, rng):
    """Weights of 4 or 1/3, rewards that go with them; true value 0.6."""
    rare = rng.random(rounds) < 0.2
    weights = np.where(rare, 0.6 / 0.2, 0.4 / 0.8)
    rewards = (rng.random(rounds) < np.where(rare, 0.8, 0.3)).astype(float)
    return rewards, weights


def coverage(estimator, rounds=400, trials=150):
    covered = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        interval = bootstrap(estimator(*logged(rounds, rng)), rng=rng, num_samples=150)
        covered += interval.low <= TRUTH <= interval.high
    return covered / trials


@pytest.mark.parametrize("estimator", [offpolicy.ips, offpolicy.snips])
def test_bootstrap_covers_the_truth_as_often_as_it_says(estimator):
    assert 0.89 <= coverage(estimator) <= 0.99


def test_resampling_the_numerator_alone_would_be_too_wide_for_a_constant_reward():
    rng = np.random.default_rng(0)
    _, weights = logged(500, rng)
    interval = bootstrap(offpolicy.snips(np.full(500, 0.7), weights), rng=rng)
    assert interval.low == pytest.approx(0.7) and interval.high == pytest.approx(0.7)


def test_clusters_that_repeat_themselves_widen_the_interval():
    rng = np.random.default_rng(0)
    rewards, weights = logged(300, rng)
    terms = offpolicy.ips(np.repeat(rewards, 10), np.repeat(weights, 10))
    alone = bootstrap(terms, rng=np.random.default_rng(1))
    together = bootstrap(terms, np.repeat(np.arange(300), 10), rng=np.random.default_rng(1))
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.2)


def test_more_rounds_than_units_give_the_same_interval_as_the_normal_one():
    rng = np.random.default_rng(0)
    terms = offpolicy.ips(*logged(3 * MAX_UNITS, rng))
    interval = bootstrap(terms, rng=rng, num_samples=300)
    error = terms.per_round.std() / np.sqrt(3 * MAX_UNITS)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_same_seed_same_interval():
    terms = offpolicy.snips(*logged(200, np.random.default_rng(0)))
    first = bootstrap(terms, rng=np.random.default_rng(5))
    assert first == bootstrap(terms, rng=np.random.default_rng(5))


def test_bernstein_is_its_formula():
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    terms = offpolicy.ips(values, np.ones(5))
    interval = empirical_bernstein(terms, spread=1.0, level=0.9)
    log = np.log(4 / 0.1)
    margin = np.sqrt(2 * values.var(ddof=1) * log / 5) + 7 * log / (3 * 4)
    assert interval.high == pytest.approx(0.6 + margin)


def test_bernstein_says_nothing_of_a_ratio():
    interval = empirical_bernstein(offpolicy.snips(np.ones(3), np.array([1.0, 2, 3])), spread=1.0)
    assert np.isnan(interval.low) and np.isnan(interval.high)
