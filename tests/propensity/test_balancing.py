import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys import config
from recsys.errors import ConfigError, DataError
from recsys.propensity.balancing import BalanceConfig, balance


def values(rows, columns, seed=0):
    return np.random.default_rng(seed).uniform(size=(rows, columns)).astype(np.float32)


def test_one_binary_function_gives_the_ratio_of_shares():
    # 1 observation of 4 has the property, half of the whole has it: it must weigh as much as
    # the other three together
    observed = np.array([[1.0], [0], [0], [0]], np.float32)
    found = balance(observed, np.array([0.5]), np.ones(4), BalanceConfig(slack=0.0))
    assert found.weights == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3], rel=1e-4)


def test_slack_moves_only_as_far_as_it_must():
    observed = np.array([[1.0], [0], [0], [0]], np.float32)
    found = balance(observed, np.array([0.5]), np.ones(4), BalanceConfig(slack=0.1))
    assert found.weights[0] / 4 == pytest.approx(0.4, abs=1e-4)


def test_what_is_balanced_already_keeps_its_base_weights():
    base = np.array([1.0, 2, 3, 4])
    observed = values(4, 2)
    found = balance(observed, base @ observed / base.sum(), base, BalanceConfig())
    assert found.weights == pytest.approx(base / base.mean())
    assert found.iterations == 0


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), slack=st.sampled_from([0.0, 0.001, 0.02]))
@example(seed=151, slack=0.001)  # one step on the way gains next to nothing
@example(seed=45, slack=0.001)  # one gains nothing at all
def test_every_function_is_balanced_within_the_slack_and_weights_are_positive(seed, slack):
    observed = values(200, 5, seed)
    tilt = np.exp(observed @ np.array([1.0, -1, 0.5, 0, 2]))
    whole = tilt @ observed / tilt.sum()  # reachable by construction
    found = balance(observed, whole, np.ones(200), BalanceConfig(slack=slack))
    assert found.weights.min() > 0
    assert found.weights.mean() == pytest.approx(1)
    assert np.abs(found.weights @ observed / 200 - whole).max() < slack + 1e-4
    assert found.unmet == 0


def test_no_more_steps_are_taken_than_allowed():
    observed = values(200, 5)
    tilt = np.exp(observed @ np.array([1.0, -1, 0.5, 0, 2]))
    whole = tilt @ observed / tilt.sum()
    steps = [
        balance(observed, whole, np.ones(200), BalanceConfig(max_iterations=number)).iterations
        for number in (1, 3, 500)
    ]
    assert steps[:2] == [1, 3]
    assert 3 < steps[2] < 500


def test_opposite_violations_do_not_cancel():
    # two functions off by +0.3 and -0.3: their sum is balanced, neither of them is
    observed = np.array([[0.8, 0.2]] * 5 + [[0.2, 0.8]] * 5, np.float32)
    whole = np.array([0.2, 0.8]) * 0.9 + np.array([0.8, 0.2]) * 0.1
    assert (observed.mean(0) - whole).sum() == pytest.approx(0, abs=1e-6)
    found = balance(observed, whole, np.ones(10), BalanceConfig(slack=0.0))
    assert np.abs(found.imbalance).max() < 1e-4
    assert found.weights[:5] == pytest.approx(np.full(5, 0.2), rel=1e-3)


def test_weights_are_the_closest_to_the_base_that_balance():
    observed, base = values(50, 3), np.ones(50)
    whole = observed.mean(axis=0) + 0.05
    found = balance(observed, whole, base, BalanceConfig(slack=0.0)).weights / 50
    # moving along any direction that keeps all moments and the sum must not lower the entropy
    kept = np.vstack([observed.T, np.ones(50)])
    step = np.random.default_rng(1).normal(size=50)
    step -= np.linalg.lstsq(kept.T, step, rcond=None)[0] @ kept
    assert step @ np.log(found) == pytest.approx(0, abs=1e-3)


def test_without_overlap_the_weights_stay_finite_and_the_miss_is_counted():
    observed = np.column_stack([np.full(20, 0.1), values(20, 1)[:, 0]]).astype(np.float32)
    found = balance(observed, np.array([0.9, 0.5]), np.ones(20), BalanceConfig(slack=0.01))
    assert found.unmet == 1
    assert np.isfinite(found.weights).all()
    assert np.abs(found.multipliers).max() <= BalanceConfig().pull


def test_no_weight_is_zero_however_many_functions_pull():
    observed = values(200, 32)
    observed[100:] *= 0.01
    found = balance(observed, np.full(32, 1.5), np.ones(200), BalanceConfig())
    assert found.unmet == 32 and (found.weights > 0).all()


def test_blocks_do_not_change_the_weights(monkeypatch):
    observed = values(1000, 4)
    whole = observed.mean(axis=0) * 0.95
    at_once = balance(observed, whole, np.ones(1000), BalanceConfig())
    monkeypatch.setattr("recsys.propensity.balancing.BLOCK", 64)
    in_blocks = balance(observed, whole, np.ones(1000), BalanceConfig())
    assert in_blocks.weights == pytest.approx(at_once.weights, rel=1e-3)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_base_weight_that_is_no_weight_is_refused(bad):
    with pytest.raises(DataError, match="observation 1"):
        balance(values(3, 1), np.array([0.5]), np.array([1.0, bad, 1.0]), BalanceConfig())


def test_nothing_observed_is_refused():
    with pytest.raises(DataError, match="found none"):
        balance(values(0, 1), np.array([0.5]), np.empty(0), BalanceConfig())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("slack=-0.1", "slack: .*greater than or equal to 0, found -0.1"),
        ("pull=0", "pull: .*greater than 0, found 0"),
        ("max_iterations=0", "max_iterations: .*greater than 0"),
    ],
)
def test_a_setting_out_of_range_is_named(setting, message):
    with pytest.raises(ConfigError, match=message):
        config.load(BalanceConfig, None, [setting])


def test_a_coarse_start_does_not_change_the_weights(monkeypatch):
    observed = values(5000, 4)
    whole = observed.mean(axis=0) * 0.95
    direct = balance(observed, whole, np.ones(5000), BalanceConfig())
    monkeypatch.setattr("recsys.propensity.balancing.COARSE", 500)
    started = balance(observed, whole, np.ones(5000), BalanceConfig())
    assert started.weights == pytest.approx(direct.weights, rel=1e-3)
