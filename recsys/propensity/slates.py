"""How likely a slate held a news, and a reader met it at any visit, from slates alone."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64
from scipy import sparse

READERS = 1024
"""Readers whose exposure to every news is held at once."""


def slate_rate(
    windows: Int64[np.ndarray, " impressions"],
    slates: Int64[np.ndarray, " impressions"],
    news: Int64[np.ndarray, " impressions"],
) -> Float64[np.ndarray, " impressions"]:
    r"""Propensity of being in a slate: the share of the window's slates that held the news.

    :math:`\hat p_{wi} = n_{wi} / n_w`; right where the logging policy does not know the reader and
    changes little within a window. Never 0, as the impression itself is counted; of a news shown
    once in a window it is therefore too high, on average.

    Args:
        windows: Span of time of each impression, as any integers.
        slates: Slate of each impression, as any integers.
        news: Row number of each impression's news.
    """
    table = _Windows.of(windows, slates, news)
    return table.rates[table.cell]


def reader_exposure(
    windows: Int64[np.ndarray, " impressions"],
    slates: Int64[np.ndarray, " impressions"],
    readers: Int64[np.ndarray, " impressions"],
    news: Int64[np.ndarray, " impressions"],
) -> Float64[np.ndarray, " impressions"]:
    r"""Propensity that the reader was shown the news at all, over all visits.

    :math:`1 - \prod_{\text{visits}} (1 - \hat p_{wi})`, with the rates of :func:`slate_rate`.

    Args:
        windows: As in :func:`slate_rate`.
        slates: As in :func:`slate_rate`.
        readers: Row number of each impression's reader.
        news: Row number of each impression's news.
    """
    table = _Windows.of(windows, slates, news)
    missed = np.log1p(-np.minimum(table.rates, 1 - 1e-9))
    size = len(table.slates), int(news.max()) + 1
    by_window = sparse.csr_matrix((missed, (table.cells // size[1], table.cells % size[1])), size)
    visits = sparse.csr_matrix(
        (np.ones(len(table.first)), (readers[table.first], table.window[table.first])),
        (int(readers.max()) + 1, size[0]),
    )
    found = np.empty(len(news))
    order = np.argsort(readers, kind="stable")
    bounds = np.searchsorted(readers[order], np.arange(0, visits.shape[0] + READERS, READERS))
    for block, (low, high) in enumerate(pairwise(bounds)):
        start, rows = block * READERS, order[low:high]
        unseen = (visits[start : start + READERS] @ by_window).toarray()
        found[rows] = -np.expm1(unseen[readers[rows] - start, news[rows]])
    return found


@dataclass(frozen=True)
class _Windows:
    """Which share of each window's slates held each news, for the pairs that occur."""

    window: Int64[np.ndarray, " impressions"]
    first: Int64[np.ndarray, " slates"]
    """An impression of every slate."""
    slates: Int64[np.ndarray, " windows"]
    """Slates of each window."""
    cells: Int64[np.ndarray, " cells"]
    """Window times number of news, plus news."""
    cell: Int64[np.ndarray, " impressions"]
    rates: Float64[np.ndarray, " cells"]

    @classmethod
    def of(cls, windows: np.ndarray, slates: np.ndarray, news: np.ndarray) -> "_Windows":
        window = np.unique(windows, return_inverse=True)[1]
        first = np.unique(slates, return_index=True)[1]
        held = np.bincount(window[first])
        width = int(news.max()) + 1
        cells, cell, count = np.unique(
            window * width + news, return_inverse=True, return_counts=True
        )
        return cls(window, first, held, cells, cell, count / held[cells // width])
