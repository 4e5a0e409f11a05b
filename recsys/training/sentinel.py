"""The validation attacker: what an epoch's vectors give away, judged without any audited label."""

import numpy as np
from jaxtyping import Float
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS, COMPONENTS = 5, 300


def leakage(
    vectors: Float[np.ndarray, "readers dim"],
    beliefs: Float[np.ndarray, "readers groups"],
    *,
    seed: int,
) -> float:
    """AUC of the better of a linear and a kernel attacker, for the group that they find best.

    They learn what is believed of readers, and are judged out of fold against it: a reader who is
    of a group with probability p counts p times as one of it and 1 - p times as another. That is
    the AUC to be expected against labels, if beliefs are right, without the noise of labels.

    Args:
        vectors: As they are served.
        beliefs: Probability that a reader is of each group, in [0, 1].
        seed: Of folds and of the kernel's centres.
    """
    folds = KFold(min(FOLDS, len(vectors)), shuffle=True, random_state=seed)
    attackers = _attackers(min(COMPONENTS, len(vectors) // 2), seed)
    guesses = [cross_val_predict(one, vectors, beliefs, cv=folds) for one in attackers]
    return max(
        expected_auc(guess.reshape(beliefs.shape)[:, group], beliefs[:, group])
        for guess in guesses
        for group in range(beliefs.shape[1])
    )


def expected_auc(
    scores: Float[np.ndarray, " readers"], beliefs: Float[np.ndarray, " readers"]
) -> float:
    """AUC of scores against labels that are 1 with the probability believed."""
    labels = np.repeat([1, 0], len(scores))
    weights = np.concatenate([beliefs, 1 - beliefs])
    return float(roc_auc_score(labels, np.tile(scores, 2), sample_weight=weights))


def _attackers(components: int, seed: int) -> list[Pipeline]:
    linear = make_pipeline(StandardScaler(), Ridge(alpha=10.0))
    centres = Nystroem(n_components=components, random_state=seed)
    return [linear, make_pipeline(StandardScaler(), centres, Ridge(alpha=0.1))]
