"""Bootstrap intervals of means and of paired differences, resampling whole readers.

Events of one reader are not independent. Given ``groups`` (who each value belongs to), readers are
drawn with all their values (cluster bootstrap: Field and Welsh, 2007,
doi:10.1111/j.1467-9868.2007.00593.x); without, each value is its own reader. Intervals are
percentile intervals (Efron and Tibshirani, 1993, ISBN 0412042312, ch. 13).

Shared parameters:

* ``values``: one per event; NaN (a slate without a relevant news) is left out.
* ``groups``: reader of each event, any hashable type; None when every event is another reader.
* ``level``: share of repetitions that would cover the truth, in (0, 1).
* ``num_samples``: bootstrap resamples.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

Values = Shaped[np.ndarray, " events"]
Groups = Shaped[np.ndarray, " events"]

MAX_UNITS = 20_000
"""Units, such as readers, that are resampled on their own."""
DRAWS_AT_ONCE = 2_000_000
"""Bounds memory: draws held at a time, 8 bytes each."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; NaN where there was nothing to estimate it from."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the data tell the mean from zero."""
        return self.low > 0 or self.high < 0

    def minus(self, other: "Interval") -> "Interval":
        """Difference of two independent means, from their intervals alone.

        Zou and Donner, 2008, doi:10.1002/sim.3095: distances to the ends add in square.
        """
        difference = self.mean - other.mean
        below = np.hypot(self.mean - self.low, other.high - other.mean)
        above = np.hypot(self.high - self.mean, other.mean - other.low)
        return Interval(difference, float(difference - below), float(difference + above))


def mean_interval(
    values: Values,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    num_samples: int = 1000,
) -> Interval:
    """Mean over events with its interval.

    Fewer than two readers say nothing of the spread: low and high are NaN.
    """
    sums, counts = _by_group(values, groups)
    if not len(sums):
        return Interval(np.nan, np.nan, np.nan)
    mean = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Interval(mean, np.nan, np.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(_resampled(sums, counts, rng, num_samples), [tail, 1 - tail])
    return Interval(mean, float(low), float(high))


def paired_difference(
    a: Values,
    b: Values,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    num_samples: int = 1000,
) -> Interval:
    """Mean of ``a - b`` over the same events: what two models differ by, reader noise cancelled.

    An event where either is NaN is left out.
    """
    difference = a.astype(float) - b
    return mean_interval(difference, groups, rng=rng, level=level, num_samples=num_samples)


def resampled_means(
    values: Values,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    num_samples: int = 1000,
) -> Float[np.ndarray, " samples"]:
    """The bootstrap distribution itself, for statistics of several means such as gaps and ratios.

    Empty values give NaN.
    """
    sums, counts = _by_group(values, groups)
    if not len(sums):
        return np.full(num_samples, np.nan)
    return _resampled(sums, counts, rng, num_samples)


def _by_group(
    values: Values, groups: Groups | None
) -> tuple[Float[np.ndarray, " groups"], Int[np.ndarray, " groups"]]:
    """Sum and number of each reader's values."""
    known = ~np.isnan(values)
    if groups is None:
        return values[known].astype(float), np.ones(known.sum(), dtype=int)
    _, reader = np.unique(groups[known], return_inverse=True)
    sums = np.bincount(reader, values[known]).astype(float)  # of nothing: whole numbers
    return sums, np.bincount(reader)


def blocks(num_units: int, *, rng: np.random.Generator) -> Int[np.ndarray, " units"]:
    """Say what each unit is resampled with: itself, or one of ``MAX_UNITS`` blocks dealt by chance.

    Blocks are drawn where there are more units than that: the time of a resample is bounded.
    """
    if num_units <= MAX_UNITS:
        return np.arange(num_units)
    return rng.permutation(num_units) % MAX_UNITS


def _resampled(
    sums: Float[np.ndarray, " groups"],
    counts: Int[np.ndarray, " groups"],
    rng: np.random.Generator,
    num_samples: int,
) -> Float[np.ndarray, " samples"]:
    """Means over readers drawn with replacement."""
    block = blocks(len(sums), rng=rng)
    sums, counts = np.bincount(block, sums), np.bincount(block, counts)
    at_once = max(1, DRAWS_AT_ONCE // len(sums))
    means = []
    for start in range(0, num_samples, at_once):
        size = (min(at_once, num_samples - start), len(sums))
        drawn = rng.integers(len(sums), size=size)
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)
