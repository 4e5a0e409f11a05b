"""What readers look like to those who guess their attributes: six views of their clicks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from recsys.data.reading_log import ReadingLog
from recsys.training import autoencoder

COMPONENTS, FACTORS, FEW_FACTORS = 48, 32, 16
PRIOR_CLICKS = 3.0
"""Of each topic, that clicks are compared from: a single click says little."""


class Views(NamedTuple):
    """Readers six times."""

    clicks: csr_array
    """News and topics clicked; each block has length 1."""
    directions: Float[np.ndarray, "readers components"]
    """Principal directions of these."""
    factors: Float[np.ndarray, "readers factors"]
    """Factors of a linear autoencoder, as a recommender sees them."""
    tastes: Float[np.ndarray, "readers few"]
    """The strongest of these: what only pairs of tastes tell is found here."""
    leanings: Float[np.ndarray, "readers topics"]
    """How much more often than all others a reader clicked each topic, as a logarithm."""
    likings: Float[np.ndarray, "readers topics"]
    """The same of what was offered to the reader; width 0 where a log has clicks only."""


def views_of(
    log: ReadingLog, topics: Sequence[np.ndarray], train: np.ndarray, *, seed: int
) -> Views:
    """Describe readers by what may be learned from.

    Rare news count more (Salton and Buckley, 1988, doi:10.1016/0306-4573(88)90021-0), and news
    and each kind of topic alike.

    Args:
        log: The clicks, and what was offered beside them.
        topics: For each kind of topic, a number for the topic of each news.
        train: Clicks that may be learned from, remembered ones too.
        seed: Of the principal directions.
    """
    readers, news = log.reader_of_click[train], log.clicks.news[train]
    shape = (len(log.user_ids), len(log.news_ids))
    clicked = csr_array((np.ones(len(train)), (readers, news)), shape=shape)
    rare = TfidfTransformer(sublinear_tf=True).fit_transform(clicked)
    counts = [_counts(readers, news, topic, len(log.user_ids)) for topic in topics]
    clicks = csr_array(hstack([rare, *map(normalize, counts)]))
    size = min(COMPONENTS, min(clicks.shape) - 1)
    directions = TruncatedSVD(size, random_state=seed).fit_transform(clicks)
    often = np.sqrt(1 + clicked.sum(axis=1))
    factors = clicked @ autoencoder.factors(clicked, FACTORS) / often[:, None]
    tastes = factors[:, -FEW_FACTORS:]
    leanings = np.hstack([_leanings(count.toarray()) for count in counts])
    return Views(clicks, directions, factors, tastes, leanings, _likings(log, topics, train))


def _counts(readers: np.ndarray, news: np.ndarray, topic: np.ndarray, number: int) -> csr_array:
    """Count each reader's news of each topic."""
    return csr_array((np.ones(len(news)), (readers, topic[news])), shape=(number, topic.max() + 1))


def _leanings(clicks: Float[np.ndarray, "readers topics"]) -> Float[np.ndarray, "readers topics"]:
    """Compare clicks with as many spread over the topics as all readers' are."""
    share = clicks.sum(axis=0) / clicks.sum()
    return _more_than(clicks, clicks.sum(axis=1, keepdims=True) * share)


def _likings(
    log: ReadingLog, topics: Sequence[np.ndarray], train: np.ndarray
) -> Float[np.ndarray, "readers topics"]:
    """Compare clicks with as many as all readers make of so many offers of each topic.

    What was offered up to a reader's last click to learn from counts, but for clicks held out.
    """
    shown, number = log.shown, len(log.user_ids)
    train = train[log.clicks.slate[train] >= 0]
    last = np.full(number, -1)
    np.maximum.at(last, log.reader_of_click[train], log.clicks.slate[train])
    slate = np.repeat(np.arange(len(shown.reader)), np.diff(shown.offsets))
    known = ~shown.clicked
    known[log.clicks.impression[train]] = True
    offers = np.flatnonzero(known & (slate <= last[shown.reader[slate]]))
    clicked = shown.clicked[offers]
    if clicked.all():
        return np.zeros((number, 0))
    readers, news = shown.reader[slate[offers]], shown.news[offers]
    likings = []
    for topic in topics:
        offered = _counts(readers, news, topic, number).toarray()
        liked = _counts(readers[clicked], news[clicked], topic, number).toarray()
        likings.append(_more_than(liked, clicked.mean() * offered))
    return np.hstack(likings)


def _more_than(
    clicks: Float[np.ndarray, "readers topics"],
    expected: Float[np.ndarray, "readers topics"],
) -> Float[np.ndarray, "readers topics"]:
    """Compare clicks with those expected; both start from a prior."""
    ratio: np.ndarray = np.log((clicks + PRIOR_CLICKS) / (expected + PRIOR_CLICKS))
    return ratio
