"""How well predicted clicks and examination curves fit; probabilities and clicks in, numbers out.

Arrays are ``[sessions, length]``, column 0 the first position; ``mask`` is False where nothing was
shown. Probabilities are conditional on the clicks above where the click model says so.
"""

import numpy as np
from jaxtyping import Bool, Float

_SMALLEST = 1e-12


def log_likelihood(
    probabilities: Float[np.ndarray, "sessions length"],
    clicks: Bool[np.ndarray, "sessions length"],
    mask: Bool[np.ndarray, "sessions length"],
) -> float:
    """Mean log probability of a shown document's click or skip, in nats; at most 0."""
    return float(_terms(probabilities, clicks)[mask].mean())


def perplexity(
    probabilities: Float[np.ndarray, "sessions length"],
    clicks: Bool[np.ndarray, "sessions length"],
    mask: Bool[np.ndarray, "sessions length"],
) -> Float[np.ndarray, " length"]:
    r"""Click perplexity of every position: :math:`2^{-\frac1n\sum\log_2 P}`.

    1 is certainty, 2 a coin; NaN where nothing was shown (Dupret and Piwowarski, 2008,
    doi:10.1145/1390334.1390392).
    """
    total = np.where(mask, _terms(probabilities, clicks), 0.0).sum(axis=0)
    shown = mask.sum(axis=0)
    mean = np.divide(total, shown, out=np.full(len(shown), np.nan), where=shown > 0)
    return np.exp(-mean)


def relative(examination: Float[np.ndarray, " length"]) -> Float[np.ndarray, " length"]:
    """An examination curve over its value at the first position: only ratios are identified."""
    return examination / examination[0]


def spearman(estimate: Float[np.ndarray, " length"], truth: Float[np.ndarray, " length"]) -> float:
    """Rank correlation of two curves, ties at their mean rank; NaN if one of them is flat."""
    first, second = _ranks(estimate), _ranks(truth)
    first, second = first - first.mean(), second - second.mean()
    norm = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / norm) if norm > 0 else float("nan")


def _terms(probabilities: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    happened = np.where(clicks, probabilities, 1.0 - probabilities)
    return np.log(np.clip(happened, _SMALLEST, 1.0))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
