"""Intervals of off-policy estimates: bootstrap of the whole ratio, and empirical Bernstein."""

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtr, ndtri

from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.offpolicy import Terms

MAX_UNITS = 20_000
"""Units resampled; rounds beyond are first dealt into so many blocks by chance."""


def bootstrap(
    terms: Terms,
    clusters: Shaped[np.ndarray, " rounds"] | None = None,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    num_samples: int = 1000,
) -> Interval:
    """BCa interval that resamples numerator and denominator together.

    A self-normalised estimate is a ratio of two sums over the same rounds; resampling its
    numerator alone would leave out the spread of the weights. Weighted rewards are skewed, which
    a percentile interval does not follow; BCa does (Efron, 1987,
    doi:10.1080/01621459.1987.10478410).

    Args:
        terms: Any estimator's terms.
        clusters: Slate or reader of each round, kept together; None when rounds are independent.
        rng: Source of chance.
        level: Coverage aimed at, in (0, 1).
        num_samples: Bootstrap resamples.
    """
    units = _units(clusters, len(terms.direct), rng)
    above = _by_unit(np.column_stack([terms.direct, terms.correction]), units)
    below = _by_unit(np.column_stack([np.ones(len(units)), terms.normaliser]), units)
    both = np.concatenate([above, below], axis=1)
    totals = np.stack([_drawn_total(both, rng) for _ in range(num_samples)])
    columns = above.shape[1]
    values = _ratio(totals[:, :columns], totals[:, columns:]).sum(axis=1)
    tails = _adjusted(values, terms.value, _influence(above, below), level)
    low, high = np.quantile(values, tails)
    return Interval(terms.value, float(low), float(high))


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


def _units(clusters: np.ndarray | None, rounds: int, rng: np.random.Generator) -> np.ndarray:
    """The unit of each round: its cluster, or a block of rounds where there are too many."""
    unit = np.arange(rounds) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    number = int(unit.max()) + 1
    if number <= MAX_UNITS:
        return unit
    return (rng.permutation(number) % MAX_UNITS)[unit]


def _by_unit(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(units, column) for column in values.T])


def _drawn_total(
    sums: Float[np.ndarray, "units columns"], rng: np.random.Generator
) -> Float[np.ndarray, " columns"]:
    """Totals over as many units as there are, drawn with replacement."""
    size = len(sums)
    return np.bincount(rng.integers(size, size=size), minlength=size) @ sums


def _influence(
    above: Float[np.ndarray, "units columns"], below: Float[np.ndarray, "units columns"]
) -> Float[np.ndarray, " units"]:
    """How far each unit pulls a sum of ratios, to first order."""
    level = _ratio(above.sum(axis=0), below.sum(axis=0))
    return _ratio(above - level * below, below.mean(axis=0)).sum(axis=1)


def _adjusted(
    values: Float[np.ndarray, " samples"],
    value: float,
    influence: Float[np.ndarray, " units"],
    level: float,
) -> Float[np.ndarray, " 2"]:
    """Quantiles to read off the resampled values: BCa's instead of the plain tails."""
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    square = float((influence**2).sum())
    if square <= 0 or np.ptp(values) == 0:
        return tails
    below = np.clip((values < value).mean(), 1 / len(values), 1 - 1 / len(values))
    bias = float(ndtri(below))
    skew = float((influence**3).sum()) / (6 * square**1.5)
    shifted = bias + ndtri(tails)
    return np.clip(ndtr(bias + shifted / (1 - skew * shifted)), 0.0, 1.0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return above / np.where(below > 0, below, 1.0)
