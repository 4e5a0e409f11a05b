"""Who looks for the attribute: classifiers of different kinds, each with its chance to find it.

An audit is worth as much as its strongest attacker. The settings were chosen on synthetic vectors
in which the attribute was hidden as a bit, as the exclusive or of two of 64 dimensions, as a weak
shift of the mean and as a difference of variance; no one kind finds all of them. A model that is
kept from an attribute may also leave it in a direction of next to no variance, which attackers that
shrink their weights overlook: two of them see whitened vectors, in which all directions vary alike.
Directions in which nothing varies but the rounding of float16 are left out: stretched, they would
be as many columns of noise.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

NUM_FOLDS = 5

MAX_SVM_READERS = 4000
"""Above it the exact kernel machine, cubic in readers, gives way to 1 000 Nystroem features."""

ROUNDING = np.finfo(np.float16).eps ** 2 / 12
"""Variance of what float16 rounds away, at most, as a share of the number's square."""


class Classifier(Protocol):
    """What an attack needs of a classifier; scores are one column a class, or one for two."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> object:
        """Learn from training readers."""


Make = Callable[[int, int], Classifier]
"""Number of training readers and seed to an unfitted classifier."""

Features: TypeAlias = np.ndarray | csr_array


class _Whitening(TransformerMixin, BaseEstimator):
    """Standardises, turns and stretches vectors of float16 so that all directions vary alike."""

    def fit(self, x: np.ndarray, y: np.ndarray | None = None) -> "_Whitening":
        self.scaler = StandardScaler().fit(x)
        with np.errstate(invalid="ignore"):  # shares of no variance: of vectors all alike
            self.axes = PCA(whiten=True).fit(self.scaler.transform(x))
        rounding = ROUNDING * (x**2).mean(axis=0) / self.scaler.scale_**2
        self.kept = self.axes.explained_variance_ > self.axes.components_**2 @ rounding
        self.kept[0] = True  # vectors that are all alike keep a column
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self.axes.transform(self.scaler.transform(x))[:, self.kept]


class _BalancedMlp(MLPClassifier):
    """Two layers of 128; every class weighs the same, as in the other attackers."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "_BalancedMlp":
        weights = compute_sample_weight("balanced", y)
        with warnings.catch_warnings():  # the cap on epochs is part of the attack
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(x, y, sample_weight=weights)


def logistic(num_readers: int, seed: int) -> Classifier:
    """Logistic regression on features as they are, also sparse ones."""
    return LogisticRegression(class_weight="balanced", max_iter=1000)


def _whitened_logistic(num_readers: int, seed: int) -> Classifier:
    return make_pipeline(_Whitening(), logistic(num_readers, seed))


def _mlp(num_readers: int, seed: int) -> Classifier:
    # Strong decay, small batches and patience are what finds an exclusive or in 800 readers.
    network = _BalancedMlp(
        (128, 128),
        alpha=1.0,
        batch_size=min(64, num_readers) if num_readers < 4000 else 128,
        learning_rate_init=3e-3,
        max_iter=100,
        early_stopping=num_readers >= 100,  # a split of its own, inside the training readers
        n_iter_no_change=20,
        random_state=seed,
    )
    return make_pipeline(_Whitening(), network)


def _boosting(num_readers: int, seed: int) -> Classifier:
    return HistGradientBoostingClassifier(
        class_weight="balanced", max_bins=32, max_leaf_nodes=15, random_state=seed
    )


def _rbf_svm(num_readers: int, seed: int) -> Classifier:
    if num_readers <= MAX_SVM_READERS:
        return make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    kernel = Nystroem(n_components=1000, random_state=seed)
    return make_pipeline(StandardScaler(), kernel, logistic(num_readers, seed))


ATTACKERS: Mapping[str, Make] = {
    "logistic regression": _whitened_logistic,
    "neural network": _mlp,
    "gradient boosting": _boosting,
    "RBF SVM": _rbf_svm,
}

QUICK = ("logistic regression", "neural network")
"""The two that cost little: for a demo, never for a promotion."""


def folds(labels: Int[np.ndarray, " readers"], seed: int) -> Int[np.ndarray, " readers"]:
    """Fold of each reader, every class spread evenly; the same for all attackers.

    A class needs at least as many readers as there are folds.
    """
    fold = np.empty(len(labels), dtype=int)
    split = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(split.split(labels, labels)):
        fold[test] = number
    return fold


def out_of_fold(
    make: Make,
    features: Features,
    labels: Int[np.ndarray, " readers"],
    fold: Int[np.ndarray, " readers"],
    seed: int,
) -> Float[np.ndarray, "readers classes"]:
    """Score of each class for each reader, by an attacker that never saw that reader.

    Scores are probabilities, or a kernel machine's margins: AUC needs their order alone, and only
    among readers of one fold.

    Args:
        make: One of :data:`ATTACKERS`, or :func:`logistic`.
        features: What is attacked, one row a reader, dense or sparse.
        labels: Class of each reader, 0 to classes - 1.
        fold: From :func:`folds`.
        seed: Of the attacker's own randomness.
    """
    scores = np.empty((len(labels), labels.max() + 1))
    with threadpool_limits(limits=1):  # the problems are small: threads wait more than they work
        for number in np.unique(fold):
            train, test = fold != number, fold == number
            attacker = make(int(train.sum()), seed)
            attacker.fit(features[train], labels[train])
            scores[test] = _scores(attacker, features[test])
    return scores


def _scores(attacker: Classifier, features: Features) -> Float[np.ndarray, "readers classes"]:
    if hasattr(attacker, "predict_proba"):
        return attacker.predict_proba(features)
    margins = attacker.decision_function(features)  # type: ignore[attr-defined]
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
