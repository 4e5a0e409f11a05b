"""From measurements to a verdict; it never passes for lack of evidence.

* ``pass``: of every attribute, the whole interval of the leakage lies at or below the threshold,
  and ranking beats popularity with an interval above zero.
* ``fail``: an attribute's leakage itself exceeds the threshold, its interval leaving one half out,
  or ranking is worse than popularity with an interval below zero.
* ``insufficient``: neither can be said: an interval reaches over the threshold or over zero, too
  few readers state an attribute, too many hold values too small to attack, or there is none. Of
  few readers the best of several attackers is beyond any threshold by chance alone.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from recsys.config import Config
from recsys.fairness.leakage import Leakage

Outcome = Literal["pass", "fail", "insufficient"]
SEVERITY: tuple[Outcome, ...] = ("fail", "insufficient", "pass")
"""Worst first: the verdict is the worst of its reasons."""


class Thresholds(Config):
    """Where the line is drawn."""

    max_leakage: float = Field(default=0.60, gt=0.5, le=1.0)
    """Largest allowed AUC of the best attacker. With 0.60, of a random pair of readers one of each
    group, the attacker names the right one 3 times in 5 where a coin does 2.5 times. Undebiased
    recommenders stand at 0.65 to 0.85; intervals of a thousand readers are about 0.05 to each side,
    so a line much lower could not be passed on evidence of that size."""
    max_unmeasured: float = Field(default=0.10, ge=0.0, lt=1.0)
    """Largest share of the readers who state an attribute that may hold values too small to attack.
    They are reported as insufficient data either way; above this share the attribute is too."""


class Gain(NamedTuple):
    """How much better than popularity held-out clicks are ranked; NaN bounds where unknown."""

    mean: float
    low: float
    high: float


class Reason(NamedTuple):
    """What one attribute, or the ranking, says for itself, in plain words."""

    outcome: Outcome
    about: str
    text: str


class Verdict(NamedTuple):
    """The outcome, and a reason for each attribute and for the ranking."""

    outcome: Outcome
    reasons: list[Reason]


def verdict(
    leakages: Mapping[str, Leakage], gain: Gain | None, thresholds: Thresholds | None = None
) -> Verdict:
    """Judge a model.

    Args:
        leakages: By attribute, of the vectors as served.
        gain: Over popularity on held-out clicks; None if there were none.
        thresholds: Where the line is drawn.
    """
    thresholds = thresholds or Thresholds()
    reasons = [reason_of(name, found, thresholds) for name, found in leakages.items()]
    if not reasons:
        text = "no sensitive attribute is known, so nothing could be attacked"
        reasons = [Reason("insufficient", "attributes", text)]
    reasons.append(_ranking(gain))
    outcomes = {reason.outcome for reason in reasons}
    worst = next(outcome for outcome in SEVERITY if outcome in outcomes)
    return Verdict(worst, reasons)


def reason_of(name: str, found: Leakage, limits: Thresholds) -> Reason:
    """Judge one attribute alone."""
    best = found.best
    if best is None:
        stated = sum(found.too_small.values())
        text = f"too few readers kept from training state it to attack it ({stated})"
        return Reason("insufficient", name, text)
    claim = (
        f"the best attacker ({best.attacker}) reaches AUC {best.auc:.3f} "
        f"[{best.low:.3f}, {best.high:.3f}] on {found.readers:,} readers"
    )
    if best.leakage > limits.max_leakage and not best.low <= 0.5 <= best.high:
        return Reason("fail", name, f"{claim}, beyond the threshold of {_line(limits, best.auc)}")
    if best.highest_leakage > limits.max_leakage:
        text = f"{claim}; the interval reaches beyond the threshold"
        return Reason("insufficient", name, text)
    if found.unmeasured > limits.max_unmeasured:
        share = f"{found.unmeasured:.0%} of those who state it"
        return Reason("insufficient", name, f"{claim}, but {share} hold values too small to attack")
    return Reason("pass", name, f"{claim}, within the threshold of {limits.max_leakage:.2f}")


def _line(limits: Thresholds, auc: float) -> str:
    if auc >= 0.5:
        return f"{limits.max_leakage:.2f}"
    return f"{1 - limits.max_leakage:.2f} (as suspicious below one half as above)"


def _ranking(gain: Gain | None) -> Reason:
    if gain is None:
        return Reason("insufficient", "ranking", "no held-out click to measure it on")
    claim = f"nDCG@10 over popularity {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if gain.low > 0:
        return Reason("pass", "ranking", f"{claim}, better")
    if gain.high < 0:
        return Reason("fail", "ranking", f"{claim}, worse than popularity")
    return Reason("insufficient", "ranking", f"{claim}; not told apart from popularity")
