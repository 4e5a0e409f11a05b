"""Logs from a table of what each reader was shown."""

import numpy as np

from recsys.data.reading_log import Clicks, ReadingLog, Shown


def log_from(news, clicked, num_news, hours=None):
    """Show news ``[readers, times]`` one a slate, to one reader after another, clicked or not.

    All at once unless ``hours`` says when.
    """
    readers, times = news.shape
    shown_to, count = np.repeat(np.arange(readers), times), news.size
    seconds = np.zeros(count, int) if hours is None else 3600 * hours.ravel()
    order = np.argsort(seconds, kind="stable")
    flat, liked = news.ravel()[order], clicked.ravel()[order]
    shown = Shown(
        np.arange(count + 1),
        flat,
        liked,
        np.ones(count),
        shown_to[order],
        seconds[order],
        np.arange(count),
    )
    at = np.flatnonzero(liked)
    at = at[np.argsort(shown.reader[at], kind="stable")]
    offsets = np.searchsorted(shown.reader[at], np.arange(readers + 1))
    names = ([str(i) for i in range(n)] for n in (num_news, readers))
    return ReadingLog(next(names), num_news, next(names), shown, Clicks(offsets, flat[at], at, at))
