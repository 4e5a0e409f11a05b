"""Intervals of off-policy estimates: bootstrap of the whole ratio, and empirical Bernstein."""

import numpy as np
from jaxtyping import Shaped

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
    """Percentile interval that resamples numerator and denominator together.

    A self-normalised estimate is a ratio of two sums over the same rounds; resampling its
    numerator alone would leave out the spread of the weights.

    Args:
        terms: Any estimator's terms.
        clusters: Slate or reader of each round, kept together; None when rounds are independent.
        rng: Source of chance.
        level: Coverage aimed at, in (0, 1).
        num_samples: Bootstrap resamples.
    """
    units = _units(clusters, len(terms.direct), rng)
    direct, counts = np.bincount(units, terms.direct), np.bincount(units)
    correction, normaliser = _by_unit(terms.correction, units), _by_unit(terms.normaliser, units)
    stacked = np.column_stack([direct, counts, correction, normaliser])
    columns = correction.shape[1]
    sums = np.stack([_draw(stacked, rng) for _ in range(num_samples)])
    below = np.where(sums[:, 2 + columns :] > 0, sums[:, 2 + columns :], 1.0)
    values = sums[:, 0] / sums[:, 1] + (sums[:, 2 : 2 + columns] / below).sum(axis=1)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
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


def _draw(stacked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sums over as many units as there are, drawn with replacement."""
    drawn = rng.integers(len(stacked), size=len(stacked))
    return np.bincount(drawn, minlength=len(stacked)) @ stacked
