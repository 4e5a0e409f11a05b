"""What clicks give away: how likely each reader is of each group, told or not.

Attributes are known for some readers only, and a model that is balanced over those alone still
tells them apart in the others. So an estimator is fitted on the readers whose attribute training
may use, out of fold for these, and its beliefs about *all* readers are what training balances:
the estimated attribute of FairGNN (Dai and Wang, 2021, arXiv:2009.01454), without its gradient.
"""

from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.sparse import csr_array, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC

from recsys.data.reading_log import ReadingLog
from recsys.training.attributes import ReaderAttributes

FOLDS, COMPONENTS, KERNEL_READERS = 5, 48, 4000
"""Readers beyond `KERNEL_READERS` are drawn from for the kernel estimator: it is quadratic."""


Views: TypeAlias = tuple[csr_array, np.ndarray]
"""Readers twice: by all their clicks, and by the principal directions of these."""


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
    features = _features(log, topics, np.concatenate([remembered, train]))
    size = min(COMPONENTS, min(features.shape) - 1)
    dense = TruncatedSVD(size, random_state=seed).fit_transform(features)
    columns = []
    for index in range(len(attributes.names)):
        labels, known = attributes.labels[:, index], attributes.known[:, index]
        if known.any() and np.bincount(labels[known]).min() >= FOLDS:
            columns.append(_believe((features, dense), labels, known, seed))
    nothing = np.zeros((features.shape[0], 0))
    return np.concatenate([nothing, *columns], axis=1).astype(np.float32)


def _features(log: ReadingLog, topics: np.ndarray, train: np.ndarray) -> csr_array:
    """Describe readers by their clicks, rare news counting more, and by their shares of topics.

    Salton and Buckley, 1988, doi:10.1016/0306-4573(88)90021-0; each block has length 1.
    """
    readers, news = log.reader_of_click[train], log.clicks.news[train]
    shape = (len(log.user_ids), len(log.news_ids))
    clicked = csr_array((np.ones(len(train)), (readers, news)), shape=shape)
    shape = (len(log.user_ids), topics.max() + 1)
    shares = csr_array((np.ones(len(train)), (readers, topics[news])), shape=shape)
    rare = TfidfTransformer(sublinear_tf=True).fit_transform(clicked)
    return csr_array(hstack([rare, normalize(shares)]))


def _believe(
    views: Views, labels: np.ndarray, known: np.ndarray, seed: int
) -> Float[np.ndarray, "readers values"]:
    """Calibrate a linear and a kernel estimator; known readers are judged out of fold."""
    at = np.flatnonzero(known)
    values = labels[at].max() + 1
    scores = np.zeros((len(labels), 2 * values))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fit, judge in folds.split(at, labels[at]):
        guess = _scores(views, at[fit], labels, seed)
        scores[at[judge]] = guess[at[judge]]
        scores[~known] += guess[~known] / FOLDS
    calibrated = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    calibrated.fit(scores[at], labels[at])
    return calibrated.predict_proba(scores)


def _scores(
    views: Views, fit: np.ndarray, labels: np.ndarray, seed: int
) -> Float[np.ndarray, "readers scores"]:
    """Fit a linear estimator to all that is known, a kernel one to its principal directions."""
    sparse, dense = views
    some = pd.Series(fit).sample(min(len(fit), KERNEL_READERS), random_state=seed).to_numpy()
    linear = LogisticRegression(max_iter=500).fit(sparse[fit], labels[fit])
    kernel = make_pipeline(StandardScaler(), SVC()).fit(dense[some], labels[some])
    guesses = linear.decision_function(sparse), kernel.decision_function(dense)
    return np.hstack([_columns(guess) for guess in guesses])


def _columns(scores: np.ndarray) -> np.ndarray:
    """Give two classes two columns, as more classes have."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
