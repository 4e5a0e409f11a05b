import numpy as np
import pytest

from recsys.evaluation.bootstrap import (
    MAX_UNITS,
    Interval,
    blocks,
    mean_interval,
    paired_difference,
    resampled_means,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _coverage(draw, truth, repetitions=400):
    hits = [interval.low <= truth <= interval.high for interval in map(draw, range(repetitions))]
    return np.mean(hits)


def test_interval_covers_the_truth_as_often_as_it_says():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return mean_interval(rng.exponential(size=200), rng=rng, num_samples=300)

    assert _coverage(draw, truth=1.0) == pytest.approx(0.95, abs=0.04)


def test_readers_not_events_decide_the_width():
    """Events of a reader are copies of each other: only the cluster bootstrap sees it."""

    def draw(seed, clustered=True):
        rng = np.random.default_rng(seed)
        readers = np.repeat(np.arange(100), 10)
        values = rng.normal(size=100)[readers]
        groups = readers if clustered else None
        return mean_interval(values, groups, rng=rng, num_samples=300)

    assert _coverage(draw, truth=0.0) == pytest.approx(0.95, abs=0.04)
    assert _coverage(lambda seed: draw(seed, clustered=False), truth=0.0) < 0.7


def test_mean_is_over_events_not_over_readers(rng):
    interval = mean_interval(np.array([1.0, 1.0, 4.0]), np.array(["a", "a", "b"]), rng=rng)
    assert interval.mean == 2.0


def test_pairing_cancels_what_both_models_share(rng):
    shared = rng.normal(scale=10, size=500)
    better = shared + 0.1 + rng.normal(scale=0.1, size=500)
    paired = paired_difference(better, shared, rng=rng)
    assert paired.excludes_zero
    assert paired.mean == pytest.approx((better - shared).mean())
    assert not mean_interval(better, rng=rng).excludes_zero


def test_missing_values_are_left_out(rng):
    interval = mean_interval(np.array([1.0, np.nan, 1.0]), rng=rng)
    assert (interval.mean, interval.low, interval.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("readers", [None, np.array(["ann"])])
def test_nothing_gives_nothing(rng, readers):
    interval = mean_interval(np.array([np.nan]), readers, rng=rng)
    assert np.isnan([interval.mean, interval.low, interval.high]).all()
    assert np.isnan(resampled_means(np.array([np.nan]), readers, rng=rng)).all()


def test_one_reader_has_no_interval(rng):
    interval = mean_interval(np.array([1.0, 2.0]), np.array([7, 7]), rng=rng)
    assert interval.mean == 1.5
    assert np.isnan([interval.low, interval.high]).all()
    assert not interval.excludes_zero


def test_same_seed_same_interval():
    values = np.arange(50.0)
    intervals = {mean_interval(values, rng=np.random.default_rng(3)) for _ in range(2)}
    assert len(intervals) == 1


def test_boolean_outcomes_are_means_of_zero_and_one(rng):
    assert mean_interval(np.array([True, False]), rng=rng).mean == 0.5


def test_the_difference_of_two_means_is_the_normal_one_for_normal_intervals():
    first, second = Interval(5.0, 2.0, 8.0), Interval(1.0, -3.0, 5.0)
    assert first.minus(second) == Interval(4.0, 4.0 - 5.0, 4.0 + 5.0)


def test_a_difference_keeps_each_sides_own_distance():
    found = Interval(5.0, 2.0, 9.0).minus(Interval(1.0, -2.0, 5.0))
    assert found.low == 4.0 - 5.0 and found.high == 4.0 + 5.0


def test_units_beyond_number_are_dealt_evenly_into_blocks():
    rng = np.random.default_rng(0)
    assert blocks(MAX_UNITS, rng=rng).tolist() == list(range(MAX_UNITS))
    assert (np.bincount(blocks(3 * MAX_UNITS, rng=rng)) == [3] * MAX_UNITS).all()


def test_blocks_leave_the_interval_as_wide_as_it_is():
    rng = np.random.default_rng(0)
    values = rng.normal(size=5 * MAX_UNITS)
    found = mean_interval(values, rng=rng, num_samples=400)
    normal = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(normal, rel=0.15)
