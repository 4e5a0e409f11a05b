"""AUC of out-of-fold scores, on many bootstrap resamples of the readers at once.

A pair of readers counts only if both were scored by the same fitted attacker, that is, within one
fold: scores of different folds are not on one scale, and pooling them drives the AUC of a useless
attacker below one half (Airola et al., 2011, doi:10.1016/j.csda.2010.11.018).
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

WEIGHTS_AT_ONCE = 2_000_000
"""Bounds memory: reader weights held at a time, 8 bytes each."""


class PairwiseAuc:
    """Share of within-fold pairs in the right order, a tie counting half.

    Readers are sorted once; each resample is then two cumulative sums.
    """

    def __init__(
        self,
        scores: Float[np.ndarray, " readers"],
        positive: Bool[np.ndarray, " readers"],
        folds: Int[np.ndarray, " readers"],
    ) -> None:
        """Sort the readers by fold and score.

        Args:
            scores: Higher means more likely positive.
            positive: Who has the value in question.
            folds: Fold in which each reader was scored.
        """
        self._order = np.lexsort((scores, folds))
        self._positive = positive[self._order]
        fold, score = folds[self._order], scores[self._order]
        self._fold_start, self._fold_end = _runs(fold[1:] != fold[:-1])
        self._tie_start, self._tie_end = _runs((fold[1:] != fold[:-1]) | (score[1:] != score[:-1]))

    def __call__(
        self, weights: Float[np.ndarray, "samples readers"]
    ) -> Float[np.ndarray, " samples"]:
        """AUC with each reader counted ``weights`` times; NaN where there is no pair."""
        drawn = weights[:, self._order]
        positive, negative = drawn * self._positive, drawn * ~self._positive
        below = np.concatenate([np.zeros((len(drawn), 1)), np.cumsum(negative, axis=1)], axis=1)
        outranked = (below[:, self._tie_start] + below[:, self._tie_end]) / 2
        rivals = below[:, self._fold_end] - below[:, self._fold_start]
        won = (positive * (outranked - below[:, self._fold_start])).sum(axis=1)
        pairs = (positive * rivals).sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(drawn), np.nan), where=pairs > 0)


def resamples(
    strata: Int[np.ndarray, " readers"], *, rng: np.random.Generator, num_samples: int
) -> Iterator[Float[np.ndarray, "samples readers"]]:
    """Bootstrap weights of readers, a block at a time, drawn within each stratum.

    Drawing within strata keeps a small group in every resample.
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    at_once = max(1, WEIGHTS_AT_ONCE // len(strata))
    for start in range(0, num_samples, at_once):
        size = min(at_once, num_samples - start)
        drawn = [group[rng.integers(len(group), size=(size, len(group)))] for group in members]
        cells = np.concatenate(drawn, axis=1) + np.arange(size)[:, None] * len(strata)
        counts = np.bincount(cells.ravel(), minlength=size * len(strata))
        yield counts.reshape(size, len(strata)).astype(float)


def _runs(
    changes: Bool[np.ndarray, " readers_minus_one"],
) -> tuple[Int[np.ndarray, " readers"], Int[np.ndarray, " readers"]]:
    """First index, and index past the last, of the run that each place belongs to."""
    run = np.concatenate([[0], np.cumsum(changes)])
    bounds = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(run)]])
    return bounds[run], bounds[run + 1]
