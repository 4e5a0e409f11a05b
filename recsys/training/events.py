"""What training ranks first, one sample each: clicks, and news imputed to be liked."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from recsys.data.reading_log import ReadingLog
from recsys.training.corpus import Corpus
from recsys.training.counterfactual import Imputed


class Events(NamedTuple):
    """All clicks of a log, in its order, and behind them what is imputed."""

    reader: Int[np.ndarray, " events"]
    history_end: Int[np.ndarray, " events"]
    """Where in `ReadingLog.clicks` the history that led to it ends."""
    slate: Int[np.ndarray, " events"]
    news: Int[np.ndarray, " events"]
    weight: Float32[np.ndarray, " events"]
    """What it counts; a remembered click, which is no sample, has some number."""


def events(corpus: Corpus) -> Events:
    """List a corpus' events."""
    log = corpus.log
    clicks = Events(
        reader=log.reader_of_click,
        history_end=corpus.split.history_end,
        slate=log.clicks.slate,
        news=log.clicks.news,
        weight=log.shown.weights[log.clicks.impression],
    )
    if corpus.imputed is None:
        return clicks
    beside = _beside(log, corpus.split.train, corpus.imputed)
    return Events(*(np.concatenate(pair) for pair in zip(clicks, beside, strict=True)))


def _beside(log: ReadingLog, train: np.ndarray, imputed: Imputed) -> Events:
    """Place what is imputed: each after the reader's training clicks of earlier slates."""
    slate = np.searchsorted(log.shown.offsets, imputed.impression, side="right") - 1
    reader, span = log.shown.reader[slate], len(log.shown.reader) + 1
    learned = log.clicks.slate < 0
    learned[train] = True
    moments = (log.reader_of_click * span + log.clicks.slate + 1)[learned]
    before = np.searchsorted(moments, reader * span + slate + 1)
    before -= np.searchsorted(moments, reader * span)
    return Events(
        reader=reader,
        history_end=log.clicks.offsets[reader] + before,
        slate=slate,
        news=log.shown.news[imputed.impression],
        weight=np.full(len(slate), imputed.share, dtype=np.float32),
    )
