import numpy as np
import pytest

from recsys.fairness.groups import NOT_STATED, Sample, describe, groups_of


def _sample(mean, readers=100, spread=0.01):
    means = mean + spread * np.linspace(-1, 1, 201)
    return Sample(readers, mean, means)


def test_intersections_are_groups_too():
    groups = groups_of({"gender": ["F", None], "age": ["18", "65"]})
    assert groups["gender"] == ["F", NOT_STATED]
    assert groups["gender × age"] == ["F × 18", f"{NOT_STATED} × 65"]


def test_gap_is_best_over_worst():
    _, gap = describe({"F": _sample(0.2), "M": _sample(0.4), "X": _sample(0.3)}, min_readers=30)
    assert (gap.best, gap.worst) == ("M", "F")
    assert gap.difference == pytest.approx(0.2)
    assert gap.ratio == pytest.approx(0.5)
    assert gap.low <= gap.difference <= gap.high


def test_interval_of_the_gap_is_that_of_paired_differences():
    worst, best = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.4, 0.3])  # apart by .4, .2 and 0
    samples = {"F": Sample(99, 0.2, worst), "M": Sample(99, 0.4, best)}
    _, gap = describe(samples, min_readers=30, level=0.25)  # of deviations 0, .2 and .2
    assert (gap.low, gap.high) == pytest.approx((0.1, 0.3))


def nine(rng, means, errors):
    found = rng.normal(means, errors)
    samples = rng.normal(found, errors, size=(400, 9)).T
    groups = {str(i): Sample(99, found[i], samples[i]) for i in range(9)}
    return describe(groups, min_readers=30)[1]


@pytest.mark.parametrize("errors", [np.full(9, 0.01), np.geomspace(0.003, 0.03, 9)])
def test_of_nine_equal_groups_the_extremes_are_told_apart_once_in_twenty_times(errors):
    rng = np.random.default_rng(0)
    told = [nine(rng, np.zeros(9), errors).low > 0 for _ in range(200)]
    assert 0.01 < np.mean(told) < 0.09


def test_a_group_that_is_far_from_eight_others_is_told_apart():
    rng = np.random.default_rng(0)
    gaps = [nine(rng, np.array([0.06, *np.zeros(8)]), np.full(9, 0.01)) for _ in range(50)]
    assert all(gap.best == "0" for gap in gaps)
    assert np.mean([gap.low > 0 for gap in gaps]) > 0.9


def test_group_below_the_least_number_is_insufficient_data():
    groups, gap = describe(
        {"F": _sample(0.9, readers=29), "M": _sample(0.4, readers=30)}, min_readers=30
    )
    small = next(group for group in groups if group.name == "F")
    assert [group.sufficient for group in groups] == [False, True]
    assert (small.mean, small.low, small.high) == (None, None, None)
    assert gap is None


def test_those_who_do_not_state_it_are_measured_but_no_side_of_the_gap():
    groups, gap = describe(
        {
            "F × 18": _sample(0.2),
            "M × 18": _sample(0.3),
            f"{NOT_STATED} × 18": _sample(0.9),
            NOT_STATED: _sample(0.1),
        },
        min_readers=30,
    )
    assert all(group.sufficient for group in groups)
    assert (gap.best, gap.worst, gap.among) == ("M × 18", "F × 18", 2)


def test_interval_holds_the_share_that_was_asked_for():
    groups, _ = describe({"F": _sample(0.5, spread=1.0)}, min_readers=1, level=0.9)
    assert groups[0].low == pytest.approx(0.5 - 0.9)
    assert groups[0].high == pytest.approx(0.5 + 0.9)


def test_nothing_measured_is_insufficient_data():
    groups, _ = describe({"F": Sample(50, np.nan, np.full(10, np.nan))}, min_readers=30)
    assert not groups[0].sufficient
