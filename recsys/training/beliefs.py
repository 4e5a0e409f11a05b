"""What clicks give away: how likely each reader is of each group, told or not.

Attributes are known for some readers only, and a model that is balanced over those alone still
tells them apart in the others. So an estimator is fitted on the readers whose attribute training
may use, out of fold for these, and its beliefs about *all* readers are what training balances:
the estimated attribute of FairGNN (Dai and Wang, 2021, arXiv:2009.01454), without its gradient.
"""

import numpy as np
import pandas as pd
import scipy.sparse
from jaxtyping import Float
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC

from recsys.data.reading_log import ReadingLog
from recsys.training.attributes import ReaderAttributes

FOLDS, COMPONENTS, KERNEL_READERS = 5, 48, 4000
"""Readers beyond `KERNEL_READERS` are drawn from for the kernel estimator: it is quadratic."""


def beliefs(
    log: ReadingLog,
    topics: np.ndarray,
    attributes: ReaderAttributes,
    train: np.ndarray,
    *,
    seed: int,
) -> Float[np.ndarray, "readers groups"]:
    """Estimate each reader's groups from the training clicks.

    Args:
        log: The clicks.
        topics: A number for the topic of each news.
        attributes: Labels, and for whom they may be used.
        train: Clicks that may be learned from.
        seed: Decides folds and projections.

    Returns:
        One column for each value of each attribute, in [0, 1]; an attribute with fewer than
        `FOLDS` known readers of some value is left out.
    """
    remembered = np.flatnonzero(log.clicks.slate < 0)
    features = _features(log, topics, np.concatenate([remembered, train]), seed)
    columns = []
    for index in range(len(attributes.names)):
        labels, known = attributes.labels[:, index], attributes.known[:, index]
        if known.any() and np.bincount(labels[known]).min() >= FOLDS:
            columns.append(_believe(features, labels, known, seed))
    nothing = np.zeros((len(features), 0))
    return np.concatenate([nothing, *columns], axis=1).astype(np.float32)


def _features(
    log: ReadingLog, topics: np.ndarray, train: np.ndarray, seed: int
) -> Float[np.ndarray, "readers features"]:
    """Describe readers by principal directions of their clicks and by shares of topics."""
    readers, num_readers = log.reader_of_click[train], len(log.user_ids)
    clicked = scipy.sparse.csr_matrix(
        (np.ones(len(train)), (readers, log.clicks.news[train])),
        shape=(num_readers, len(log.news_ids)),
    )
    shares = scipy.sparse.csr_matrix(
        (np.ones(len(train)), (readers, topics[log.clicks.news[train]])),
        shape=(num_readers, topics.max() + 1),
    )
    size = min(COMPONENTS, min(clicked.shape) - 1)
    projected = TruncatedSVD(size, random_state=seed).fit_transform(normalize(clicked))
    amount = np.log1p(np.bincount(readers, minlength=num_readers))[:, None]
    return np.hstack([projected, normalize(shares, norm="l1").toarray(), amount])


def _believe(
    features: np.ndarray, labels: np.ndarray, known: np.ndarray, seed: int
) -> Float[np.ndarray, "readers values"]:
    """Calibrate a linear and a kernel estimator; known readers are judged out of fold."""
    at = np.flatnonzero(known)
    values = labels[at].max() + 1
    scores = np.zeros((len(features), 2 * values))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fit, judge in folds.split(features[at], labels[at]):
        guess = _scores(features, at[fit], labels, seed)
        scores[at[judge]] = guess[at[judge]]
        scores[~known] += guess[~known] / FOLDS
    calibrated = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    calibrated.fit(scores[at], labels[at])
    return calibrated.predict_proba(scores)


def _scores(
    features: np.ndarray, fit: np.ndarray, labels: np.ndarray, seed: int
) -> Float[np.ndarray, "readers scores"]:
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    kernel = make_pipeline(StandardScaler(), SVC(decision_function_shape="ovr"))
    some = pd.Series(fit).sample(min(len(fit), KERNEL_READERS), random_state=seed).to_numpy()
    parts = [linear.fit(features[fit], labels[fit]), kernel.fit(features[some], labels[some])]
    return np.hstack([_columns(part.decision_function(features)) for part in parts])


def _columns(scores: np.ndarray) -> np.ndarray:
    """Give two classes two columns, as more classes have."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
