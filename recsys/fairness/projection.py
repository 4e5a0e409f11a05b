"""A map of readers in two dimensions, drawn so that a leak would be seen."""

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from recsys.fairness.attackers import NUM_FOLDS, folds


def separating_map(
    vectors: Float[np.ndarray, "readers dim"], labels: np.ndarray, *, seed: int
) -> Float[np.ndarray, "readers 2"]:
    """Project readers on the direction that tells the attribute best, and on the widest one.

    Across: the linear discriminant (Fisher, 1936, with Ledoit and Wolf's shrinkage), fitted on the
    other readers' folds, so that the map shows what generalises and not what was memorised; of
    more than two values the first. Up: the first principal component. Both in units of their own
    spread.

    Args:
        vectors: One row a reader; float16 is fine.
        labels: Value of the attribute, 0 to values - 1, at least 5 readers each.
        seed: Of the folds.
    """
    if (vectors == vectors[0]).all():
        return np.zeros((len(vectors), 2))
    scaled = StandardScaler().fit_transform(vectors.astype(np.float64))
    fold, across = folds(labels, seed), np.empty(len(labels))
    for number in range(NUM_FOLDS):
        train, test = fold != number, fold == number
        direction = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=1)
        direction.fit(scaled[train], labels[train])
        placed = direction.transform(scaled)[:, 0]
        sign = np.sign(np.corrcoef(placed[train], labels[train])[0, 1]) or 1.0
        across[test] = sign * (placed[test] - placed[train].mean()) / placed[train].std()
    up = PCA(n_components=1, random_state=seed).fit_transform(scaled)[:, 0]
    return np.stack([across, up / up.std()], axis=1)
