"""The logging policy: slates drawn without replacement, the more popular the likelier.

Each live news has a weight; places are filled from the top, each by a draw among the news not
yet placed, in proportion to their weights (Plackett-Luce). The policy does not know the reader,
except that it leaves out what the reader has clicked.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class LeftOut:
    """News (columns of the weights) that are not to be shown in a slate (rows)."""

    rows: Int[np.ndarray, " pairs"]
    columns: Int[np.ndarray, " pairs"]

    def repeated(self, slates: int, times: int) -> "LeftOut":
        """Return the same for ``times`` copies of ``slates`` slates, one after the other."""
        copies = np.repeat(np.arange(times) * slates, len(self.rows))
        return LeftOut(np.tile(self.rows, times) + copies, np.tile(self.columns, times))


def weights(
    attraction: Float[np.ndarray, " live"], bias: float, exploration: float
) -> Float[np.ndarray, " live"]:
    """Return the probability of each live news to be drawn first; they sum to 1.

    ``(1 - exploration) * attraction ** bias / sum + exploration / live``.

    Args:
        attraction: Popularity, above 0.
        bias: Power of popularity; 0 makes all alike.
        exploration: Share of uniform chance, above 0.
    """
    share = (attraction / attraction.max()) ** bias
    return (1 - exploration) * share / share.sum() + exploration / len(share)


def draw(
    weights: Float[np.ndarray, " live"],
    left_out: LeftOut,
    *,
    slates: int,
    places: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, "slates places"], Float[np.ndarray, "slates places"]]:
    """Draw slates; return the columns shown, and the probability of each given those above it.

    Sorting exponential arrival times of rate ``weights`` gives Plackett-Luce draws: the next to
    arrive is each with probability proportional to its weight (Efraimidis and Spirakis 2006).
    """
    arrival = rng.standard_exponential((slates, len(weights)), np.float32)
    arrival /= weights.astype(np.float32)
    arrival[left_out.rows, left_out.columns] = np.inf
    first = np.argpartition(arrival, places - 1, axis=1)[:, :places]
    order = np.take_along_axis(arrival, first, axis=1).argsort(axis=1)
    shown = np.take_along_axis(first, order, axis=1)
    gone = np.bincount(left_out.rows, weights[left_out.columns], minlength=slates)
    chosen = weights[shown]
    above = np.cumsum(chosen, axis=1) - chosen
    return shown, chosen / (1 - gone[:, None] - above)


def inclusion(
    weights: Float[np.ndarray, " live"],
    left_out: LeftOut,
    *,
    draws: int,
    places: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, " live"]:
    """Return the probability of each live news to be in a slate, at whatever place.

    Averages, over arrival times of the *other* news, the probability
    ``1 - exp(-weight * t)`` to arrive before ``t``, when they have filled the slate: exact given
    the others (Rao-Blackwell), and never 0.

    Args:
        weights: As from :func:`weights`.
        left_out: What is not shown in each draw; does not count for that news itself.
        draws: Slates to average over.
        places: Length of a slate, less than the number of news not left out.
        rng: Source of the arrival times.
    """
    rates = weights.astype(np.float32)
    arrival = rng.standard_exponential((draws, len(rates)), np.float32) / rates
    arrival[left_out.rows, left_out.columns] = np.inf
    closing = np.partition(arrival, (places - 1, places), axis=1)[:, places - 1 : places + 1]
    last, next_one = closing[:, :1], closing[:, 1:]
    full = np.where(arrival <= last, next_one, last)
    return -np.expm1(-rates * full).mean(axis=0, dtype=np.float64)
