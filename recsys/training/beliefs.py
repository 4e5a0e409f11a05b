"""What clicks give away: how likely each reader is of each group, told or not.

Attributes are known for some readers only, and a model that is balanced over those alone still
tells them apart in the others. So an estimator is fitted on the readers whose attribute training
may use, out of fold for these, and its beliefs about *all* readers are what training balances:
the estimated attribute of FairGNN (Dai and Wang, 2021, arXiv:2009.01454), without its gradient.
"""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from recsys.data.reading_log import ReadingLog
from recsys.training.attributes import ReaderAttributes
from recsys.training.views import Views, views_of

logger = logging.getLogger(__name__)

FOLDS, KERNEL_READERS = 5, 4000
"""Readers beyond `KERNEL_READERS` are drawn from for the kernel estimators: they are quadratic."""


def beliefs(
    log: ReadingLog,
    topics: Sequence[np.ndarray],
    attributes: ReaderAttributes,
    train: np.ndarray,
    *,
    seed: int,
) -> dict[str, Float[np.ndarray, "readers values"]]:
    """Estimate each reader's groups from the training clicks.

    Values of fewer than `FOLDS` known readers cannot be learned; who has one counts as unknown.

    Args:
        log: The clicks.
        topics: For each kind of topic, a number for the topic of each news.
        attributes: Labels, and for whom they may be used.
        train: Clicks that may be learned from.
        seed: Decides folds and projections.

    Returns:
        By attribute, one column a value that can be learned, in [0, 1]; an attribute with fewer
        than two of these is left out, with a warning.
    """
    remembered = np.flatnonzero(log.clicks.slate < 0)
    views = views_of(log, topics, np.concatenate([remembered, train]), seed=seed)
    found = {}
    for index, name in enumerate(attributes.names):
        labels, known = attributes.labels[:, index], attributes.known[:, index]
        learnable = np.flatnonzero(np.bincount(labels[known]) >= FOLDS)
        if len(learnable) < 2:
            logger.warning(
                "%s is not protected: training knows fewer than two of its values from %d readers "
                "or more each",
                name,
                FOLDS,
            )
            continue
        known = known & np.isin(labels, learnable)
        codes = np.searchsorted(learnable, labels)
        found[name] = _believe(views, codes, known, seed).astype(np.float32)
    return found


def _believe(
    views: Views, labels: np.ndarray, known: np.ndarray, seed: int
) -> Float[np.ndarray, "readers values"]:
    """Calibrate all estimators; known readers are judged out of fold."""
    at = np.flatnonzero(known)
    values = len(np.unique(labels[at]))
    scores = np.zeros((len(labels), sum(view.shape[1] > 0 for view in views) * values))
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    folds = list(cut.split(at, labels[at]))
    in_threads = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    guesses = in_threads(delayed(_scores)(views, at[fit], labels, seed) for fit, _ in folds)
    for guess, (_, judge) in zip(guesses, folds, strict=True):
        scores[at[judge]] = guess[at[judge]]
        scores[~known] += guess[~known] / FOLDS
    calibrated = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    calibrated.fit(scores[at], labels[at])
    return calibrated.predict_proba(scores)


def _scores(
    views: Views, fit: np.ndarray, labels: np.ndarray, seed: int
) -> Float[np.ndarray, "readers scores"]:
    """Fit linear estimators to all that is known, kernel ones to each view of few numbers."""
    some = pd.Series(fit).sample(min(len(fit), KERNEL_READERS), random_state=seed).to_numpy()
    linear = LogisticRegression(max_iter=500).fit(views.clicks[fit], labels[fit])
    dense = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    dense.fit(views.factors[fit], labels[fit])
    guesses = [linear.decision_function(views.clicks), dense.decision_function(views.factors)]
    topical = [(view, 0.3) for view in (views.leanings, views.likings) if view.shape[1]]
    for view, width in ((views.directions, 1.0), (views.tastes, 0.3), *topical):
        kernel = make_pipeline(StandardScaler(), SVC(gamma=width / view.shape[1]))
        guesses.append(kernel.fit(view[some], labels[some]).decision_function(view))
    return np.hstack([_columns(guess) for guess in guesses])


def _columns(scores: np.ndarray) -> np.ndarray:
    """Give two classes two columns, as more classes have."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
