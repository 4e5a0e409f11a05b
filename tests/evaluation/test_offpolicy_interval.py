import numpy as np
import pytest
from scipy.stats import chi2

from recsys.evaluation import offpolicy
from recsys.evaluation.bootstrap import MAX_UNITS
from recsys.evaluation.offpolicy_interval import (
    Reach,
    Resamples,
    bootstrap,
    empirical_bernstein,
)

TRUTH = 0.6


def logged(rounds, rng):
    """Weights of 3 or 1/2, rewards that go with them; true value 0.6."""
    rare = rng.random(rounds) < 0.2
    weights = np.where(rare, 0.6 / 0.2, 0.4 / 0.8)
    rewards = (rng.random(rounds) < np.where(rare, 0.8, 0.3)).astype(float)
    return rewards, weights


def reach(estimator, rewards, weights):
    return Reach.of(lambda r: estimator(r, weights), rewards)


def interval_of(found, seed=0, clusters=None, *, samples=1000):
    rng = np.random.default_rng(seed)
    rounds = len(found.logged.direct)
    drawn = Resamples.draw(rounds, clusters, rng=rng, num_samples=samples)
    return bootstrap(found, drawn)


def coverage(draw, estimator, truth, trials=150, samples=150):
    covered = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        interval = interval_of(reach(estimator, *draw(rng)), trial, samples=samples)
        covered += interval.low <= truth <= interval.high
    return covered / trials


@pytest.mark.parametrize("estimator", [offpolicy.ips, offpolicy.snips])
def test_bootstrap_covers_the_truth_as_often_as_it_says(estimator):
    assert 0.9 <= coverage(lambda rng: logged(400, rng), estimator, TRUTH) <= 0.99


@pytest.mark.parametrize("estimator", [offpolicy.ips, offpolicy.snips])
def test_bootstrap_covers_the_truth_where_rewards_are_rare_and_weights_uneven(estimator):
    share = np.exp(np.random.default_rng(0).normal(size=20) * 1.2)
    share /= share.sum()

    def draw(rng):
        actions = rng.choice(20, size=2000, p=share)
        return (rng.random(2000) < 0.006).astype(float), 1 / 20 / share[actions]

    assert coverage(draw, estimator, 0.006) >= 0.93


@pytest.mark.parametrize("events", [1, 3, 10])
def test_with_equal_weights_the_upper_end_is_that_of_the_exact_poisson_interval(events):
    rewards = np.zeros(2000)
    rewards[:events] = 1.0
    found = interval_of(reach(offpolicy.ips, rewards, np.ones(2000)))
    exact = chi2.ppf(0.975, 2 * (events + 1)) / 2 / 2000
    assert found.high == pytest.approx(exact, rel=0.15)


def test_two_effective_rounds_leave_the_reward_unknown():
    weights = np.ones(1000)
    weights[:2] = 5000.0
    rewards = np.zeros(1000)
    rewards[500:510] = 1.0
    assert interval_of(reach(offpolicy.ips, rewards, weights)).high > 1


def test_resampling_the_numerator_alone_would_be_too_wide_for_a_constant_reward():
    rng = np.random.default_rng(0)
    _, weights = logged(500, rng)
    interval = interval_of(reach(offpolicy.snips, np.full(500, 0.7), weights))
    assert interval.low == pytest.approx(0.7) and interval.high == pytest.approx(0.7)


def test_clusters_that_repeat_themselves_widen_the_interval():
    rng = np.random.default_rng(0)
    rewards, weights = logged(300, rng)
    found = reach(offpolicy.ips, np.repeat(rewards, 10), np.repeat(weights, 10))
    alone = interval_of(found)
    together = interval_of(found, clusters=np.repeat(np.arange(300), 10))
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.2)


def test_more_rounds_than_units_give_the_same_interval_as_the_normal_one():
    rng = np.random.default_rng(0)
    found = reach(offpolicy.ips, *logged(3 * MAX_UNITS, rng))
    interval = interval_of(found, samples=300)
    error = found.logged.per_round.std() / np.sqrt(3 * MAX_UNITS)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_same_seed_same_interval():
    found = reach(offpolicy.snips, *logged(200, np.random.default_rng(0)))
    assert interval_of(found, 5) == interval_of(found, 5) != interval_of(found, 6)


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


def test_bernstein_counts_clusters_and_not_the_rounds_they_repeat():
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    once = empirical_bernstein(offpolicy.ips(values, np.ones(5)), spread=1.0)
    again = offpolicy.ips(np.repeat(values, 40), np.ones(200))
    repeated = empirical_bernstein(again, spread=1.0, unit=np.repeat(np.arange(5), 40))
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))


def test_bernstein_says_nothing_of_clusters_of_unequal_size():
    terms = offpolicy.ips(np.array([0.0, 1.0, 1.0]), np.ones(3))
    interval = empirical_bernstein(terms, spread=1.0, unit=np.array([0, 0, 1]))
    assert np.isnan(interval.low) and np.isnan(interval.high)
