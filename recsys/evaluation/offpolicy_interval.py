r"""Intervals of off-policy estimates: a bootstrap with one unseen round, and empirical Bernstein.

Resampling a log knows nothing of the rewards it has not seen: where clicks are rare or weights
uneven, plain percentiles hold the truth far less often than they say. So every resample draws from
one round more than there is, whose reward was the lowest (for the lower end) or the highest (for
the upper), and whose weight is that of a typical event under the new policy,
:math:`\sum w^2 / \sum w`. With equal weights that is what the exact Poisson interval does, which
counts one event more for its upper end (Garwood, 1936); with unequal weights it follows Fay and
Feuer, 1997, doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#, with the typical
weight for the largest (as Tiwari et al., 2006, doi:10.1177/0962280206070621). At an effective
sample size n it adds about 3/n of the reward's range, the rule of three: where overlap is
hopeless, intervals become as wide as the reward can vary.

``benchmarks/coverage.py`` measures how often the intervals hold a known truth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtri

from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.offpolicy import Terms

MAX_UNITS = 20_000
"""Units resampled; rounds beyond are first dealt into so many blocks by chance."""
Clusters = Shaped[np.ndarray, " rounds"] | None


@dataclass(frozen=True)
class Reach:
    """An estimate as logged, and what it would be had every reward been the lowest or highest."""

    logged: Terms
    lowest: Terms
    highest: Terms

    @classmethod
    def of(cls, estimator: Callable[[np.ndarray], Terms], rewards: np.ndarray) -> "Reach":
        """Evaluate an estimator of the rewards alone, its weights and guesses given."""
        lowest, highest = (
            estimator(np.full_like(rewards, extreme)) for extreme in (rewards.min(), rewards.max())
        )
        return cls(estimator(rewards), lowest, highest)


def bootstrap(
    reach: Reach,
    clusters: Clusters = None,
    *,
    unbiased: Reach | None = None,
    rng: np.random.Generator,
    level: float = 0.95,
    num_samples: int = 1000,
) -> Interval:
    r"""Percentile interval that resamples numerator and denominator together.

    A self-normalised estimate is a ratio of two sums over the same rounds; resampling its
    numerator alone would leave out the spread of the weights.

    An estimator that buys less variance with bias cannot have a shorter honest interval unless
    its bias is bounded beforehand (Low, 1997, doi:10.1214/aos/1030741084). Told the unbiased
    estimator it stands in for, the interval takes the unseen round from that, and each half h
    becomes :math:`\sqrt{h^2 + (z b)^2}` with b the distance between the two: the root of the
    squared error in place of the standard error.

    Args:
        reach: Any estimator's terms.
        clusters: Slate or reader of each round, kept together; None when rounds are independent.
        unbiased: IPS for clipped IPS, doubly robust for the direct method and what lies between.
        rng: Source of chance.
        level: Coverage aimed at, in (0, 1).
        num_samples: Bootstrap resamples.
    """
    value = reach.logged.value
    unit = _codes(clusters, len(reach.logged.direct))
    sums = _sums(reach.logged, unit)
    low_round, high_round = _unseen(unbiased or reach, unit)
    blocks = _sums_by(sums, _blocks(len(sums), rng))
    totals, copies = _drawn(blocks, rng, num_samples)
    tail = (1 - level) / 2
    low = float(np.quantile(_value(totals + copies * low_round), tail))
    high = float(np.quantile(_value(totals + copies * high_round), 1 - tail))
    bias = 0.0 if unbiased is None else value - unbiased.logged.value
    margin = float(ndtri(1 - tail)) * bias
    below, above = max(value - low, 0.0), max(high - value, 0.0)
    return Interval(value, value - np.hypot(below, margin), value + np.hypot(above, margin))


def empirical_bernstein(terms: Terms, *, spread: float, level: float = 0.95) -> Interval:
    r"""Interval good for every sample size, if no term varies by more than ``spread``.

    .. math:: \bar x \pm \sqrt{2 V \ln(4/\delta) / n} + \frac{7 R \ln(4/\delta)}{3(n-1)}

    Maurer and Pontil, 2009, arXiv:0907.3740, theorem 4, both sides. A self-normalised estimate has
    no such bound: its interval is NaN.

    Args:
        terms: An estimator's terms.
        spread: Largest minus smallest value a term can take; for IPS the maximal weight times the
            maximal reward.
        level: Coverage, in (0, 1).
    """
    values, rounds = terms.per_round, len(terms.direct)
    if terms.is_self_normalised or rounds < 2:
        return Interval(terms.value, np.nan, np.nan)
    log = np.log(4 / (1 - level))
    margin = np.sqrt(2 * values.var(ddof=1) * log / rounds) + 7 * spread * log / (3 * (rounds - 1))
    return Interval(terms.value, float(terms.value - margin), float(terms.value + margin))


def _unseen(
    reach: Reach, unit: Shaped[np.ndarray, " rounds"]
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
    """Sums of the unit that was not seen, for the lower and the upper end.

    A mean over units, each with its rewards at the extreme, in proportion to what that would
    change: units of weight w count w times, as they would among events of the new policy.
    """
    logged = _sums(reach.logged, unit)
    columns = logged.shape[1] // 2
    below = logged[:, columns:].mean(axis=0)
    rounds = []
    for extreme, sign in ((reach.lowest, -1.0), (reach.highest, 1.0)):
        sums = _sums(extreme, unit)
        change = _ratio((sums - logged)[:, :columns], below).sum(axis=1) * sign
        share = np.maximum(change, 0.0)
        total = share.sum()
        rounds.append(share @ sums / total if total > 0 else sums.mean(axis=0))
    return rounds[0], rounds[1]


def _codes(clusters: Clusters, rounds: int) -> np.ndarray:
    if clusters is None:
        return np.arange(rounds)
    return np.unique(clusters, return_inverse=True)[1]


def _blocks(units: int, rng: np.random.Generator) -> np.ndarray:
    """The block of each unit: itself, or one of many dealt by chance where there are too many."""
    return np.arange(units) if units <= MAX_UNITS else rng.permutation(units) % MAX_UNITS


def _sums(terms: Terms, unit: np.ndarray) -> Float[np.ndarray, "units columns"]:
    """Numerators of each unit, then as many denominators."""
    ones = np.ones(len(terms.direct))
    both = [terms.direct, terms.correction, ones, terms.normaliser]
    return _sums_by(np.column_stack(both), unit)


def _sums_by(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(unit, column) for column in values.T])


def _drawn(
    sums: Float[np.ndarray, "units columns"], rng: np.random.Generator, num_samples: int
) -> tuple[Float[np.ndarray, "samples columns"], Float[np.ndarray, "samples one"]]:
    """Totals of units drawn from all and one more, and how often that one was drawn."""
    size = len(sums) + 1
    counts = (
        np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(num_samples)
    )
    drawn = [(count[:-1] @ sums, count[-1]) for count in counts]
    totals, copies = zip(*drawn, strict=True)
    return np.stack(totals), np.array(copies, dtype=float)[:, None]


def _value(totals: Float[np.ndarray, "samples columns"]) -> Float[np.ndarray, " samples"]:
    columns = totals.shape[1] // 2
    return _ratio(totals[:, :columns], totals[:, columns:]).sum(axis=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return above / np.where(below > 0, below, 1.0)
