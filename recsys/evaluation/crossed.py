"""Intervals of means over queries and seeds at once: both could have come out otherwise."""

import numpy as np
from jaxtyping import Float

from recsys.evaluation.bootstrap import Interval


def crossed_interval(
    values: Float[np.ndarray, "seeds queries"],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    num_samples: int = 1000,
) -> Interval:
    """Mean with a percentile interval that resamples seeds and queries independently.

    The pigeonhole bootstrap (Owen, 2007, doi:10.1214/07-AOAS122). With one seed only queries are
    resampled. The interval is for the mean over queries like these and trainings like these.
    """
    seeds, queries = values.shape
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=num_samples) / seeds
    means = np.empty(num_samples)
    for sample in range(num_samples):
        drawn = np.bincount(rng.integers(queries, size=queries), minlength=queries)
        means[sample] = by_seed[sample] @ (values @ drawn) / queries
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))
