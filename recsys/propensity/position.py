r"""How likely a position is looked at: the position-based model's examination curve.

The model: :math:`P(c = 1 \mid \text{context}, k) = p_k \, r_\text{context}`. Clicks tell the
product alone, so that every curve here is relative to the first position, which gets 1.

All estimators read the same table of counts: rows are *contexts*, within which relevance may be
taken as constant (a news for a global ranking, a reader and a news for a personal one), columns
are positions.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from recsys.errors import DataError

LOWEST = 1e-6
"""A curve never falls below this: a position without one click keeps a finite weight."""


@dataclass(frozen=True)
class Counts:
    """Impressions and clicks of every context at every position."""

    shown: Float64[np.ndarray, "contexts positions"]
    clicked: Float64[np.ndarray, "contexts positions"]

    @classmethod
    def of(
        cls,
        contexts: Int64[np.ndarray, " impressions"],
        positions: Int64[np.ndarray, " impressions"],
        clicked: Int64[np.ndarray, " impressions"],
    ) -> "Counts":
        """Count impressions by context (any integers) and 1-based position.

        Raises:
            DataError: There is no impression, or one has no position.
        """
        if not len(positions):
            raise DataError("examination: expected impressions, found none")
        if positions.min() < 1:
            raise DataError(
                f"examination: {(positions < 1).sum()} of {len(positions)} impressions have no "
                "position; expected 1 or more in each"
            )
        rows, columns = np.unique(contexts, return_inverse=True)[1], positions - 1
        shape = (rows.max() + 1, columns.max() + 1)
        cells = rows * shape[1] + columns
        shown = np.bincount(cells, minlength=shape[0] * shape[1])
        hits = np.bincount(cells, clicked, minlength=shape[0] * shape[1])
        return cls(shown.reshape(shape).astype(float), hits.reshape(shape))


@dataclass(frozen=True)
class Examination:
    """An examination curve, relative to the first position."""

    curve: Float64[np.ndarray, " positions"]
    """Above 0, the first is 1; may exceed 1 where a later position draws more looks."""
    impressions: Float64[np.ndarray, " positions"]
    """Impressions that speak about each position; where 0, the curve is a stand-in."""

    def of(
        self, positions: Int64[np.ndarray, " impressions"]
    ) -> Float64[np.ndarray, " impressions"]:
        """Look up 1-based positions; as probabilities, the most looked-at position is 1.

        Raises:
            DataError: A position is below 1 or beyond the curve.
        """
        if len(positions) and not 1 <= positions.min() <= positions.max() <= len(self.curve):
            raise DataError(
                f"examination: positions {positions.min()} to {positions.max()}; "
                f"expected 1 to {len(self.curve)}"
            )
        return (self.curve / self.curve.max())[positions - 1]


def randomised(counts: Counts) -> Examination:
    r"""Click rate by position, where chance alone placed the news: :math:`p_k / p_1 = c_k / c_1`.

    Unbiased for slates in random order (Joachims et al., 2017, section 5.1,
    doi:10.1145/3018661.3018699); on any other log it mixes examination with relevance.

    Raises:
        DataError: The first position was never clicked.
    """
    shown = counts.shown.sum(axis=0)
    rate = counts.clicked.sum(axis=0) / np.maximum(shown, 1)
    return _relative(rate, shown)


def harvested(counts: Counts) -> Examination:
    r"""Examination from the swaps a log happens to hold: intervention harvesting, all pairs.

    For each two positions, contexts shown at both are an experiment; each impression is weighted
    by the inverse of its context's share at that position, so that both positions see the same
    mix of contexts. With :math:`r_{kk'}` the mean relevance of that mix,

    .. math:: \max_{p, r} \sum_{k \neq k'} \hat c_k^{kk'} \log p_k r_{kk'}
              + \hat{\bar c}_k^{kk'} \log (1 - p_k r_{kk'})

    (Agarwal et al., 2019, eq. 9, doi:10.1145/3289600.3291017), over logits, by L-BFGS.

    Raises:
        DataError: A position shares no context with the first, directly or through others.
    """
    clicks, misses, speaking = _experiments(counts)
    _check_connected(clicks + misses)
    size = len(clicks)
    upper = np.triu_indices(size, 1)

    def negative_likelihood(logits: Float64[np.ndarray, " all"]) -> tuple[float, np.ndarray]:
        p, r = logits[:size], np.zeros((size, size))
        r[upper] = logits[size:]
        r = r + r.T
        log_hit = log_expit(p)[:, None] + log_expit(r)
        odds = np.exp(log_hit) / -np.expm1(np.minimum(log_hit, -1e-12))
        slope = clicks - misses * odds  # d likelihood / d log(p_k r_kk')
        by_p = (slope * expit(-p)[:, None]).sum(axis=1)
        by_r = ((slope + slope.T) * expit(-r))[upper]
        fit = clicks * log_hit + misses * np.log(-np.expm1(np.minimum(log_hit, -1e-12)))
        return -fit.sum(), -np.concatenate([by_p, by_r])

    start = np.zeros(size + len(upper[0]))
    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13}
    solution = minimize(negative_likelihood, start, jac=True, method="L-BFGS-B", options=options)
    return _relative(expit(solution.x[:size]), speaking)


def expectation_maximisation(
    counts: Counts, *, max_steps: int = 2000, tolerance: float = 1e-7
) -> Examination:
    r"""Examination and relevance together, by EM under the position-based model.

    E-step, for an impression without a click: :math:`P(e) = p (1 - r) / (1 - p r)` and
    :math:`P(rel) = r (1 - p) / (1 - p r)`; with a click both are 1. M-step: means of those over
    positions and over contexts (Wang et al., 2018, section 4, doi:10.1145/3159652.3159732, with a
    context's relevance in place of a regression). Stops when no examination moves by more than
    ``tolerance`` a step. Like harvesting it needs contexts seen at several positions.

    Raises:
        DataError: The first position was never clicked.
    """
    shown, clicked = counts.shown, counts.clicked
    by_position, by_context = shown.sum(axis=0), shown.sum(axis=1)
    missed = shown - clicked
    p = np.full(shown.shape[1], 0.5)
    r = (clicked.sum(axis=1) + 1) / (by_context + 2)
    for _ in range(max_steps):
        unseen = missed / np.maximum(1 - r[:, None] * p, 1e-12)
        looked = clicked.sum(axis=0) + p * ((1 - r) @ unseen)
        liked = clicked.sum(axis=1) + r * (unseen @ (1 - p))
        before, p = p, looked / np.maximum(by_position, 1)
        r = liked / by_context
        if np.abs(p - before).max() < tolerance:
            break
    return _relative(p, by_position)


def _experiments(
    counts: Counts,
) -> tuple[
    Float64[np.ndarray, "positions positions"],
    Float64[np.ndarray, "positions positions"],
    Float64[np.ndarray, " positions"],
]:
    """Re-weighted clicks and misses at k among contexts shown at both k and k', diagonal 0."""
    both = (counts.shown > 0).astype(float)
    rate = np.divide(counts.clicked, counts.shown, out=np.zeros_like(both), where=both > 0)
    # an experiment's contexts weigh as often as they were shown at its rarer position
    clicks, misses = (np.zeros((both.shape[1],) * 2) for _ in range(2))
    for k in range(both.shape[1]):
        mass = np.minimum(counts.shown[:, [k]], counts.shown)
        clicks[k] = rate[:, k] @ mass
        misses[k] = (both[:, k] - rate[:, k]) @ mass
    np.fill_diagonal(clicks, 0)
    np.fill_diagonal(misses, 0)
    elsewhere = both.sum(axis=1, keepdims=True) > 1
    return clicks, misses, (counts.shown * elsewhere).sum(axis=0)


def _check_connected(mass: Float64[np.ndarray, "positions positions"]) -> None:
    reached = np.zeros(len(mass), bool)
    reached[0] = True
    for _ in mass:
        reached = reached | (mass[reached] > 0).any(axis=0)
    if not reached.all():
        raise DataError(
            f"examination: nothing was shown both at position {(~reached).argmax() + 1} and at one "
            "comparable to position 1; expected swaps (randomise some slates, or widen the context)"
        )


def _relative(
    curve: Float64[np.ndarray, " positions"], impressions: Float64[np.ndarray, " positions"]
) -> Examination:
    if not curve[0] > 0:
        raise DataError("examination: position 1 was never clicked; expected at least one click")
    return Examination(np.maximum(curve / curve[0], LOWEST), impressions)
