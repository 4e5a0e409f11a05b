from itertools import permutations

import numpy as np
import pytest

from recsys.evaluation import battery, offpolicy
from recsys.evaluation.battery import Model

RARE = 0.2
TRUTH = 0.6 * 0.8 + 0.4 * 0.3


@pytest.fixture(scope="module")
def log():
    """A rare action pays 0.8, the other 0.3; the new policy takes the rare one at 0.6."""
    rng = np.random.default_rng(0)
    rare = rng.random(6_000) < RARE
    pays = np.where(rare, 0.8, 0.3)
    rewards = (rng.random(6_000) < pays).astype(float)
    return rewards, np.where(rare, 0.6 / RARE, 0.4 / 0.8), pays


def estimates(log, with_model=True):
    rewards, weights, pays = log
    model = Model(pays, np.full(len(pays), TRUTH)) if with_model else None
    found = battery.bandit(rewards, weights, model, None, rng=np.random.default_rng(1))
    return {row.estimator: row for row in found}


def test_every_estimator_finds_the_truth_where_the_log_covers_the_policy(log):
    found = estimates(log)
    assert set(found) == {
        "ips",
        "clipped-ips",
        "snips",
        "dm",
        "dr",
        "self-normalised-dr",
        "switch-dr",
        "dros",
    }
    for name, row in found.items():
        assert row.value == pytest.approx(TRUTH, abs=0.04), name


def test_intervals_hold_the_estimate(log):
    for row in estimates(log).values():
        assert row.low - 1e-9 <= row.value <= row.high + 1e-9


def test_bernstein_is_wider_than_the_bootstrap(log):
    row = estimates(log)["ips"]
    assert row.bernstein_low < row.low < row.high < row.bernstein_high


def test_without_a_model_only_weighted_estimators_speak(log):
    assert set(estimates(log, with_model=False)) == {"ips", "clipped-ips", "snips"}


def test_what_clipping_took_is_said():
    rng = np.random.default_rng(0)
    weights, rewards = rng.pareto(1.2, 2000), rng.random(2000)
    model = Model(np.full(2000, 0.5), np.full(2000, 0.5))
    rows = battery.bandit(rewards, weights, model, None, rng=rng)
    found = {row.estimator: row for row in rows}
    rules = {"clipped-ips": np.minimum, "switch-dr": offpolicy.switched, "dros": offpolicy.shrunk}
    for name, row in found.items():
        used = rules[name](weights, row.limit) if name in rules else weights
        assert row.clipped_mass == pytest.approx(1 - used.sum() / weights.sum()), name
        assert (row.clipped_mass > 0) == (name in rules), name


def test_bernstein_is_left_out_where_it_would_not_hold(log):
    found = estimates(log)
    for name in ("clipped-ips", "snips", "dm", "dr", "switch-dr", "dros"):
        assert np.isnan([found[name].bernstein_low, found[name].bernstein_high]).all(), name


def test_bernstein_holds_where_rounds_of_a_slate_repeat_each_other():
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rewards = np.repeat((rng.random(60) < 0.3).astype(float), 40)
        slates = np.repeat(np.arange(60), 40)
        row, *_ = battery.bandit(rewards, np.ones(2400), None, slates, rng=rng)
        held.append(row.bernstein_low <= 0.3 <= row.bernstein_high)
    assert np.mean(held) >= 0.95


def test_bernstein_of_rewards_below_zero_knows_that_a_weight_may_be_none():
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(500) < 0.5, 2.0, 0.0)
    row, *_ = battery.bandit(np.full(500, -1.0), weights, None, None, rng=rng)
    log = np.log(4 / 0.05)
    terms = -weights
    margin = np.sqrt(2 * terms.var(ddof=1) * log / 500) + 7 * 2.0 * log / (3 * 499)
    assert row.bernstein_high - row.value == pytest.approx(margin)


def test_the_interval_of_a_wrong_reward_model_is_as_wide_as_it_is_wrong(log):
    rewards, weights, _ = log
    wrong = Model(np.full(len(rewards), 0.1), np.full(len(rewards), 0.1))
    rows = battery.bandit(rewards, weights, wrong, None, rng=np.random.default_rng(1))
    found = {row.estimator: row for row in rows}["dm"]
    assert found.value == pytest.approx(0.1) and found.low <= 0.1 < TRUTH < found.high


@pytest.mark.parametrize(
    ("biased", "unbiased"),
    [("clipped-ips", "ips"), ("dm", "dr"), ("switch-dr", "dr"), ("dros", "dr")],
)
def test_no_biased_estimate_is_surer_than_the_unbiased_one(log, biased, unbiased):
    found = estimates(log)
    assert found[biased].low <= found[unbiased].low
    assert found[biased].high >= found[unbiased].high


def test_nothing_is_known_of_what_the_log_never_did(log):
    rewards, weights, _ = log
    whole, short = (
        battery.bandit(
            rewards, weights, None, None, unsupported=missing, rng=np.random.default_rng(1)
        )[2]
        for missing in (0.0, 0.1)
    )
    assert short.low == pytest.approx(whole.low - 0.1)
    assert short.high == pytest.approx(whole.high + 0.1)


@pytest.mark.parametrize("worst", [0.0, 5.0, -5.0])
def test_intervals_hold_the_value_of_what_the_log_never_did_wherever_rewards_lie(worst):
    """The log never takes c, which pays the best reward and is half of the new policy."""
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(5000) < 0.5, 0.6, 0.4)
    rewards = worst + (rng.random(5000) < 0.5)
    truth = 0.5 * (worst + 0.5) + 0.5 * (worst + 1)
    rows = battery.bandit(rewards, weights, None, None, unsupported=0.5, rng=rng)
    for row in rows:
        assert row.low <= truth <= row.high, row.estimator
    assert rows[0].bernstein_low <= truth <= rows[0].bernstein_high


def test_intervals_stay_within_what_the_reward_can_be(log):
    rewards, weights, _ = log
    for row in battery.bandit(
        rewards, weights, None, None, unsupported=1.0, rng=np.random.default_rng(1)
    ):
        assert (row.low, row.high) == (0.0, 1.0)


def test_intervals_that_say_nothing_are_named(log):
    rewards, weights, _ = log
    rows = battery.bandit(
        rewards, weights, None, None, unsupported=0.5, rng=np.random.default_rng(1)
    )
    (said,) = battery.unidentified(rows, 1.0)
    assert "ips, clipped-ips, snips" in said
    assert battery.unidentified(list(estimates(log).values()), 1.0) == []


def test_a_log_of_one_reward_is_said_to_leave_the_others_open(log):
    _, weights, _ = log
    rows = battery.bandit(np.zeros(len(weights)), weights, None, None, rng=np.random.default_rng(1))
    assert "nothing says" in battery.unidentified(rows, 0.0)[0]


def test_slate_estimators_agree_where_both_policies_are_one():
    rng = np.random.default_rng(0)
    clicks = (rng.random((500, 3)) < [0.5, 0.3, 0.1]).astype(float)
    rows = battery.slate(clicks, np.ones((500, 3)), None, rng=rng)
    for row in rows:
        assert row.value == pytest.approx(clicks.sum(axis=1).mean())
        assert row.effective_sample_size == pytest.approx(500)


def test_every_slate_estimator_finds_the_value_where_no_news_is_shown_twice():
    """Slates drawn without replacement, readers who look at places by themselves."""
    old, new = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.15, 0.2, 0.25, 0.4])
    examined, liked = np.array([1.0, 0.7, 0.5]), np.array([0.9, 0.5, 0.2, 0.05])
    orders = np.array(list(permutations(range(4), 3)))

    def given_above(shares):
        taken = shares[orders]
        return taken / (1 - np.cumsum(taken, axis=1) + taken)

    truth = given_above(new).prod(axis=1) @ (examined * liked[orders]).sum(axis=1)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(orders), 40_000, p=given_above(old).prod(axis=1))
    clicks = (rng.random((40_000, 3)) < (examined * liked[orders])[chosen]).astype(float)
    weights = (given_above(new) / given_above(old))[chosen]
    for row in battery.slate(clicks, weights, None, rng=rng):
        assert row.value == pytest.approx(truth, rel=0.03), row.estimator
        assert row.low < truth < row.high, row.estimator
