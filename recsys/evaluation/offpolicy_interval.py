"""Intervals of off-policy estimates: bootstrap of the whole ratio, and empirical Bernstein."""

from dataclasses import dataclass

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
    sums = _Sums(
        np.bincount(units, terms.direct)[:, None],
        np.bincount(units).astype(float)[:, None],
        _by_unit(terms.correction, units),
        _by_unit(terms.normaliser, units),
    )
    values = np.array([sums.drawn(rng).value for _ in range(num_samples)])
    tails = _adjusted(values, sums.value, sums.influence, level)
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


@dataclass(frozen=True)
class _Sums:
    """Sums by unit: an estimate is a sum of ratios of their totals."""

    direct: Float[np.ndarray, "units 1"]
    counts: Float[np.ndarray, "units 1"]
    correction: Float[np.ndarray, "units columns"]
    normaliser: Float[np.ndarray, "units columns"]

    @property
    def value(self) -> float:
        ratio = _ratio(self.correction.sum(axis=0), self.normaliser.sum(axis=0))
        return float(_ratio(self.direct.sum(axis=0), self.counts.sum(axis=0))[0] + ratio.sum())

    @property
    def influence(self) -> Float[np.ndarray, " units"]:
        """How far each unit pulls the estimate, to first order."""
        pulls = np.zeros(len(self.direct))
        for above, below in ((self.direct, self.counts), (self.correction, self.normaliser)):
            level = _ratio(above.sum(axis=0), below.sum(axis=0))
            pulls += _ratio(above - level * below, below.mean(axis=0)).sum(axis=1)
        return pulls

    def drawn(self, rng: np.random.Generator) -> "_Sums":
        """As many units as there are, drawn with replacement; as one unit, for its totals."""
        size = len(self.direct)
        times = np.bincount(rng.integers(size, size=size), minlength=size)[None]
        return _Sums(
            times @ self.direct,
            times @ self.counts,
            times @ self.correction,
            times @ self.normaliser,
        )


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
