"""The serving policy: mostly the best, sometimes a draw, always with its exact propensity.

With probability ``explore`` a place is filled by a uniform draw from the news that are left, else
by the best of them. So for a place with n news left, given the places above it,

    P(news) = explore / n + (1 - explore) * [news is the best left].
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32

from recsys.ranker.pool import Pool
from recsys.ranker.query import Rows

Propensities = Float32[np.ndarray, " _places"]


def fill(
    best: Rows, pool: Pool, *, explore: float, rng: np.random.Generator
) -> tuple[Rows, Propensities]:
    """Fill as many places as ``best`` is long.

    Args:
        best: The best rows of the pool, best first.
        pool: What may be drawn.
        explore: Probability in [0, 1] that a place is drawn.
        rng: Draws.

    Returns:
        Rows and their propensities, in (0, 1].
    """
    places = len(best)
    if not explore:
        return best, np.ones(places, np.float32)
    drawn = rng.random(places) < explore
    rows, is_best = best, np.ones(places, bool)
    if drawn.any():
        rows, is_best = _fill(best, drawn, pool.members(), rng)
    left = pool.size - np.arange(places)
    return rows, (explore / left + (1 - explore) * is_best).astype(np.float32)


def _fill(
    best: Rows, drawn: np.ndarray, members: Rows, rng: np.random.Generator
) -> tuple[Rows, np.ndarray]:
    """Go through the places; says too where the best news left happens to stand."""
    taken: dict[int, None] = {}  # in the order of the places
    is_best = np.empty(len(best), bool)
    leaders: Iterator[int] = iter(best.tolist())
    leader = next(leaders)
    for place in range(len(best)):
        while leader in taken:
            leader = next(leaders)
        row = _draw(members, taken, rng) if drawn[place] else leader
        is_best[place] = row == leader
        taken[row] = None
    return np.fromiter(taken, np.int64, len(best)), is_best


def _draw(members: Rows, taken: dict[int, None], rng: np.random.Generator) -> int:
    while (row := int(members[rng.integers(len(members))])) in taken:
        pass
    return row
