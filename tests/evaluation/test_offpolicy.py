import numpy as np
import pytest

from recsys.evaluation import offpolicy
from recsys.evaluation.offpolicy import Terms

ACTIONS = np.array([0, 1])
PAYS = np.array([0.2, 0.8])
NEW = np.array([0.1, 0.9])
OLD = np.array([0.75, 0.25])
TRUTH = float(NEW @ PAYS)


@pytest.fixture(scope="module")
def log():
    """A log with known truth: action 1 pays 0.8, action 0 pays 0.2; logged at 0.25 / 0.75."""
    rng = np.random.default_rng(0)
    action = (rng.random(200_000) < OLD[1]).astype(int)
    rewards = (rng.random(200_000) < PAYS[action]).astype(float)
    return action, rewards, NEW[action] / OLD[action]


def by_hand(rewards, weights, logged, policy, limit):
    """Every estimator again, round by round, with no array operation in common."""
    sums = dict.fromkeys(
        ["ips", "clipped", "dm", "dr", "switch", "dros", "weights", "correction"], 0.0
    )
    for r, w, q, v in zip(rewards, weights, logged, policy, strict=True):
        sums["ips"] += w * r
        sums["clipped"] += (w if w < limit else limit) * r
        sums["dm"] += v
        sums["dr"] += v + w * (r - q)
        sums["switch"] += v + (w * (r - q) if w <= limit else 0.0)
        sums["dros"] += v + limit * w / (w * w + limit) * (r - q)
        sums["weights"] += w
        sums["correction"] += w * (r - q)
    rounds = len(rewards)
    values = {name: total / rounds for name, total in sums.items()}
    values["snips"] = sums["ips"] / sums["weights"]
    values["sndr"] = values["dm"] + sums["correction"] / sums["weights"]
    return values


def test_every_estimator_equals_its_straight_line_form():
    rng = np.random.default_rng(1)
    rewards, weights, logged, policy = rng.random((4, 500)) * [[1], [6], [1], [1]]
    expected = by_hand(rewards, weights, logged, policy, 2.5)
    found = {
        "ips": offpolicy.ips(rewards, weights),
        "snips": offpolicy.snips(rewards, weights),
        "clipped": offpolicy.clipped_ips(rewards, weights, limit=2.5),
        "dm": offpolicy.direct_method(policy),
        "dr": offpolicy.doubly_robust(rewards, weights, logged, policy),
        "sndr": offpolicy.self_normalised_dr(rewards, weights, logged, policy),
        "switch": offpolicy.switch_dr(rewards, weights, logged, policy, limit=2.5),
        "dros": offpolicy.shrunk_dr(rewards, weights, logged, policy, limit=2.5),
    }
    for name, terms in found.items():
        assert terms.value == pytest.approx(expected[name], abs=1e-9), name


@pytest.mark.parametrize("estimator", [offpolicy.ips, offpolicy.snips])
def test_recovers_the_true_value(log, estimator):
    _, rewards, weights = log
    assert estimator(rewards, weights).value == pytest.approx(TRUTH, abs=0.01)


def test_doubly_robust_survives_a_wrong_reward_model(log):
    _, rewards, weights = log
    guess = np.full_like(rewards, 0.5)
    value = offpolicy.doubly_robust(rewards, weights, guess, guess).value
    assert value == pytest.approx(TRUTH, abs=0.01)


@pytest.mark.parametrize("estimator", [offpolicy.doubly_robust, offpolicy.self_normalised_dr])
def test_doubly_robust_survives_wrong_propensities(log, estimator):
    action, rewards, weights = log
    value = estimator(rewards, 2 * weights, PAYS[action], np.full_like(rewards, TRUTH)).value
    assert value == pytest.approx(TRUTH, abs=0.01)


def test_clipping_and_switching_end_at_their_unlimited_forms(log):
    action, rewards, weights = log
    logged, policy = PAYS[action], np.full_like(rewards, TRUTH)
    plain = offpolicy.doubly_robust(rewards, weights, logged, policy).value
    for form in (offpolicy.switch_dr, offpolicy.shrunk_dr):
        assert form(rewards, weights, logged, policy, limit=np.inf).value == pytest.approx(plain)
        assert form(rewards, weights, logged, policy, limit=0.0).value == pytest.approx(TRUTH)
    unlimited = offpolicy.clipped_ips(rewards, weights, limit=np.inf).value
    assert unlimited == offpolicy.ips(rewards, weights).value


def test_clipped_ips_is_never_above_ips(log):
    _, rewards, weights = log
    assert offpolicy.clipped_ips(rewards, weights, limit=2.0).value < TRUTH


def test_a_self_normalised_value_ignores_the_scale_of_weights(log):
    _, rewards, weights = log
    once = offpolicy.snips(rewards, weights).value
    assert offpolicy.snips(rewards, 3 * weights).value == pytest.approx(once)


def test_no_weight_at_all_is_no_value():
    terms = offpolicy.snips(np.ones(3), np.zeros(3))
    assert terms.value == 0.0


def test_tuning_keeps_weights_whole_where_clipping_only_adds_bias(log):
    _, rewards, weights = log
    limits = [0.5, 1.0, np.inf]
    chosen, terms = offpolicy.tuned(
        lambda limit: offpolicy.clipped_ips(rewards, weights, limit=limit),
        offpolicy.ips(rewards, weights),
        limits,
    )
    assert chosen == np.inf and isinstance(terms, Terms)


def test_tuning_clips_one_monstrous_weight():
    rng = np.random.default_rng(0)
    rewards = (rng.random(1000) < 0.5).astype(float)
    weights = np.ones(1000)
    weights[0], rewards[0] = 5_000.0, 1.0
    chosen, _ = offpolicy.tuned(
        lambda limit: offpolicy.clipped_ips(rewards, weights, limit=limit),
        offpolicy.ips(rewards, weights),
        [1.0, np.inf],
    )
    assert chosen == 1.0


@pytest.mark.parametrize("estimator", [offpolicy.ips, offpolicy.snips])
def test_the_error_is_the_spread_over_new_logs(estimator):
    def estimate(seed):
        rng = np.random.default_rng(seed)
        return estimator(1 + 0.05 * rng.normal(size=500), rng.exponential(size=500))

    values = [estimate(seed).value for seed in range(400)]
    assert estimate(0).error == pytest.approx(np.std(values), rel=0.15)
