"""What was offered: topics come and go in the news, and a reader clicks what there is."""

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d

from recsys.data.reading_log import ReadingLog

HOUR = 3600
NEAR_HOURS = 48.0
"""Standard deviation of what counts as around then: about the life of a news."""
LEAST_HOURS = 96
"""Of a log: in a shorter one all that was offered is around then."""
HALF_LIFE_HOURS = 12
"""From the first impression of a news, to when half of its own are over."""
PRIOR = 0.2
"""Of a topic's share of the whole log: in hours without it a click counts six times at most."""


def evenness(log: ReadingLog, topic: Int[np.ndarray, " news"]) -> Float[np.ndarray, " news"]:
    r"""Say what a click of each news counts if all topics had been offered evenly over the log.

    .. math:: w_n = \frac{(1 + \pi)\, s_k}{s_k(t_n) + \pi\, s_k}

    with :math:`s_k` the share of the news' topic k in all impressions, and :math:`s_k(t)` the same
    around the time t when the news was first shown. Sums of clicks then tell tastes apart, and not
    weeks: a taste that is balanced in one week's topics stays so in another's. It is inverse
    propensity weighting (Rosenbaum and Rubin, 1983, doi:10.1093/biomet/70.1.41) of what is read by
    how likely its topic was offered. Only what was shown counts, never what was clicked.

    Args:
        log: Whose impressions there are.
        topic: A number for the topic of each news.

    Returns:
        Positive, at most ``(1 + PRIOR) / PRIOR``; 1 for news that were never shown, and
        for all news of a log shorter than `LEAST_HOURS`.
    """
    shown, weights = log.shown, np.ones(len(topic), dtype=np.float32)
    if not len(shown.news) or np.ptp(shown.time) < LEAST_HOURS * HOUR:
        return weights
    hour = np.repeat((shown.time - shown.time.min()) // HOUR, np.diff(shown.offsets))
    last = hour.max()
    offered = np.zeros((last + 1, topic.max() + 1))
    np.add.at(offered, (hour, topic[shown.news]), 1)
    around = gaussian_filter1d(offered, NEAR_HOURS, axis=0, mode="constant")
    around /= np.maximum(around.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    usual = (offered.sum(axis=0) / offered.sum())[topic]
    first = np.full(len(topic), last)
    np.minimum.at(first, shown.news, hour)
    then = around[np.minimum(first + HALF_LIFE_HOURS, last), topic]
    was_shown = np.unique(shown.news)
    found = (1 + PRIOR) * usual / (then + PRIOR * usual + np.finfo(float).tiny)
    weights[was_shown] = found[was_shown]
    return weights
