"""From propensities to the weights a loss multiplies by: never infinite, never silent.

Every function takes probabilities in (0, 1]; :func:`check` is the border that guarantees it.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from recsys.errors import DataError

Propensities = Float64[np.ndarray, " observed"]
Weights = Float64[np.ndarray, " observed"]


def check(propensities: Propensities, where: str) -> Propensities:
    """Let probabilities in (0, 1] through, as double precision.

    Raises:
        DataError: One is not a number, 0 or below, or above 1: the first such row is named.
    """
    values = np.asarray(propensities, np.float64)
    bad = ~((values > 0) & (values <= 1))
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"{where}: {bad.sum()} of {len(values)} propensities are not in (0, 1] "
            f"(first: row {row} is {values[row]}); expected a probability above 0"
        )
    return values


def inverse(propensities: Propensities, floor: float) -> Weights:
    """``1 / p``: unbiased, at least 1, as large as the rarest is rare. ``floor`` plays no part."""
    del floor
    return 1 / propensities


def clipped(propensities: Propensities, floor: float) -> Weights:
    """``1 / max(p, floor)``: at most ``1 / floor``, biased where it bites.

    Saito et al. (2020, section 4.3, doi:10.1145/3336191.3371783).
    """
    return 1 / np.maximum(propensities, floor)


def self_normalised(propensities: Propensities, floor: float) -> Weights:
    """Clipped weights over their mean: mean 1, so that a learning rate keeps its meaning.

    Swaminathan and Joachims (2015, arXiv 1502.02362, section 4).
    """
    weights = clipped(propensities, floor)
    return weights / weights.mean()


def stabilised(propensities: Propensities, floor: float) -> Weights:
    """``p̄ / max(p, floor)``, p̄ the mean over the observed: 1 where the propensity is average.

    Robins, Hernán and Brumback (2000, doi:10.1097/00001648-200009000-00011): the marginal
    probability in place of 1. The mean is not forced, so a poor model shows in it.
    """
    return propensities.mean() / np.maximum(propensities, floor)


WEIGHTINGS: dict[str, Callable[[Propensities, float], Weights]] = {
    "inverse": inverse,
    "clipped": clipped,
    "self-normalised": self_normalised,
    "stabilised": stabilised,
}
