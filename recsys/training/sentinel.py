"""The validation attacker: what an epoch's vectors give away, judged without any audited label."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from recsys.losses.dependence import BANDWIDTHS, RIDGE

FOLDS, READERS = 5, 4000
"""Of more readers as many are drawn: a kernel attacker is cubic in them."""


def leakage(
    vectors: Float[np.ndarray, "readers dim"],
    beliefs: Float[np.ndarray, "readers groups"],
    groups: Sequence[int],
    *,
    seed: int,
) -> list[float]:
    """AUC of the better of a linear and a kernel attacker, for each attribute.

    They see vectors whitened, learn what is believed of readers, and are judged out of fold against
    it: a reader who is of a group with probability p counts p times as one of it and 1 - p times as
    another. That is the AUC to be expected against labels, if beliefs are right, without the noise
    of labels.

    Args:
        vectors: As they are served.
        beliefs: Probability that a reader is of each group, in [0, 1].
        groups: Of each attribute, how many.
        seed: Of folds and of the readers drawn.

    Returns:
        Mean over the groups of each attribute, as the audit's leakage is.
    """
    drawn = np.random.default_rng(seed).permutation(len(vectors))[:READERS]
    wanted = beliefs[drawn]
    folds, attacker = KFold(min(FOLDS, len(drawn))), KernelRidge(alpha=RIDGE, kernel="precomputed")
    centred = wanted - wanted.mean(axis=0)
    found = [
        _expected_aucs(cross_val_predict(attacker, kernel, centred, cv=folds), wanted)
        for kernel in _kernels(vectors[drawn])
    ]
    first = np.cumsum([0, *groups[:-1]])
    means: list[float] = (np.add.reduceat(found, first, axis=1) / groups).max(axis=0).tolist()
    return means


def _expected_aucs(
    guesses: np.ndarray, beliefs: Float[np.ndarray, "readers groups"]
) -> list[float]:
    guesses = guesses.reshape(beliefs.shape)
    return [expected_auc(guesses[:, group], beliefs[:, group]) for group in range(len(beliefs.T))]


def expected_auc(
    scores: Float[np.ndarray, " readers"], beliefs: Float[np.ndarray, " readers"]
) -> float:
    """AUC of scores against labels that are 1 with the probability believed."""
    labels = np.repeat([1, 0], len(scores))
    weights = np.concatenate([beliefs, 1 - beliefs])
    return float(roc_auc_score(labels, np.tile(scores, 2), sample_weight=weights))


def _kernels(
    vectors: Float[np.ndarray, "readers dim"],
) -> tuple[Float[np.ndarray, "readers readers"], Float[np.ndarray, "readers readers"]]:
    """Compare readers linearly, and as training does."""
    vectors = vectors.astype(np.float64)  # what is not published varies by rounding alone
    white = PCA(whiten=True).fit_transform(vectors)
    linear = linear_kernel(white) / white.shape[1]
    seen = white, StandardScaler().fit_transform(vectors)
    return linear, linear + sum(_gaussians(units) for units in seen)


def _gaussians(units: Float[np.ndarray, "readers dim"]) -> Float[np.ndarray, "readers readers"]:
    widths = np.array(BANDWIDTHS)
    kernels = [rbf_kernel(units, gamma=gamma) for gamma in 1 / (2 * units.shape[1] * widths**2)]
    return np.sum(kernels, axis=0)
