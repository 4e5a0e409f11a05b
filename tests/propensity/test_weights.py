import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.errors import DataError
from recsys.propensity.weights import (
    WEIGHTINGS,
    check,
    clipped,
    inverse,
    self_normalised,
    stabilised,
)

P = np.array([0.5, 0.1, 0.001])


def test_inverse_is_one_over_the_propensity():
    assert inverse(P, 0.01) == pytest.approx([2, 10, 1000])


def test_clipped_never_exceeds_one_over_the_floor():
    assert clipped(P, 0.01) == pytest.approx([2, 10, 100])


def test_self_normalised_has_mean_one():
    assert self_normalised(P, 0.01) == pytest.approx(np.array([2, 10, 100]) / (112 / 3))


def test_stabilised_is_one_where_the_propensity_is_average():
    p = np.array([0.2, 0.4, 0.6])
    assert stabilised(p, 0.01) == pytest.approx([2, 1, 2 / 3])


@given(
    arrays(np.float64, st.integers(1, 50), elements=st.floats(1e-300, 1.0, exclude_min=True)),
    st.sampled_from(["clipped", "self-normalised", "stabilised"]),
)
def test_weights_are_finite_and_above_zero_however_small_the_propensity(propensities, name):
    weights = WEIGHTINGS[name](check(propensities, "p"), 0.01)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()


@pytest.mark.parametrize("bad", [0.0, -0.5, 1.5, np.nan, np.inf])
def test_a_value_that_is_no_propensity_is_refused_with_its_row(bad):
    with pytest.raises(DataError, match=r"log: 1 of 3 propensities are not in \(0, 1\].*row 1"):
        check(np.array([0.5, bad, 1.0]), "log")


def test_a_weighted_mean_recovers_the_whole_where_the_plain_mean_does_not():
    rng = np.random.default_rng(0)
    value = rng.random(100_000)
    propensity = 0.1 + 0.8 * value
    seen = rng.random(100_000) < propensity
    weights = inverse(propensity[seen], 0)
    assert np.average(value[seen], weights=weights) == pytest.approx(0.5, abs=0.01)
    assert value[seen].mean() > 0.6
