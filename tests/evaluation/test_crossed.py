import numpy as np
import pytest

from recsys.evaluation.crossed import crossed_interval


def test_one_seed_is_a_plain_bootstrap_over_queries():
    values = np.random.default_rng(0).normal(size=(1, 400))
    found = crossed_interval(values, rng=np.random.default_rng(1))
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)


def test_seeds_that_disagree_widen_the_interval():
    queries = np.random.default_rng(0).normal(size=400) * 0.01
    agree = crossed_interval(np.stack([queries] * 5), rng=np.random.default_rng(1))
    shifts = np.array([-0.2, -0.1, 0, 0.1, 0.2])[:, None]
    apart = crossed_interval(queries + shifts, rng=np.random.default_rng(1))
    assert apart.high - apart.low > 10 * (agree.high - agree.low)


def test_a_constant_has_no_spread():
    found = crossed_interval(np.full((3, 10), 0.7), rng=np.random.default_rng(0))
    assert found.low == pytest.approx(0.7) and found.high == pytest.approx(0.7)
