import pytest

from recsys.fairness.leakage import Attack, Leakage
from recsys.fairness.verdict import Gain, Thresholds, verdict

BETTER, WORSE, EQUAL = Gain(0.1, 0.05, 0.15), Gain(-0.1, -0.2, -0.05), Gain(0.0, -0.1, 0.1)


def _leak(auc, margin=0.04, too_small=0):
    attacks = [Attack("any", auc, auc - margin, auc + margin)]
    return Leakage(attacks, {"F": 400, "M": 600}, {"X": too_small})


@pytest.mark.parametrize(
    ("auc", "outcome"),
    [
        (0.52, "pass"),
        (0.48, "pass"),
        (0.58, "insufficient"),  # the interval reaches beyond 0.60
        (0.42, "insufficient"),  # and below 0.40
        (0.61, "fail"),
        (0.38, "fail"),
    ],
)
def test_threshold_holds_for_the_interval_and_on_both_sides(auc, outcome):
    assert verdict({"gender": _leak(auc)}, BETTER).outcome == outcome


@pytest.mark.parametrize("auc", [0.64, 0.36])
def test_a_leak_that_may_be_chance_is_no_fail(auc):
    assert verdict({"gender": _leak(auc, margin=0.15)}, BETTER).outcome == "insufficient"


@pytest.mark.parametrize(
    ("gain", "outcome"),
    [(BETTER, "pass"), (WORSE, "fail"), (EQUAL, "insufficient"), (None, "insufficient")],
)
def test_ranking_has_to_beat_popularity(gain, outcome):
    assert verdict({"gender": _leak(0.5)}, gain).outcome == outcome


def test_unknown_bounds_never_pass():
    unknown = Gain(0.1, float("nan"), float("nan"))
    assert verdict({"gender": _leak(0.5)}, unknown).outcome == "insufficient"


def test_one_attribute_that_leaks_is_enough():
    found = verdict({"gender": _leak(0.5), "age": _leak(0.7)}, BETTER)
    assert found.outcome == "fail"
    assert [reason.outcome for reason in found.reasons] == ["pass", "fail", "pass"]


def test_one_attribute_that_cannot_be_attacked_is_no_pass():
    nobody = Leakage([], {}, {"F": 5, "M": 995})
    found = verdict({"gender": _leak(0.5), "age": nobody}, BETTER)
    assert found.outcome == "insufficient"
    assert "too few readers" in found.reasons[1].text


def test_no_attribute_is_no_pass():
    assert verdict({}, BETTER).outcome == "insufficient"


def test_many_readers_in_small_groups_are_no_pass():
    assert verdict({"age": _leak(0.5, too_small=50)}, BETTER).outcome == "pass"
    assert verdict({"age": _leak(0.5, too_small=200)}, BETTER).outcome == "insufficient"


def test_thresholds_can_be_set():
    assert verdict({"age": _leak(0.7)}, BETTER, Thresholds(max_leakage=0.8)).outcome == "pass"
