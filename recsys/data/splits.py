"""Which clicks and slates a model may learn from, which choose its epoch, and which judge it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from pydantic import Field, PositiveInt

from recsys.config import Config
from recsys.data.reading_log import ReadingLog
from recsys.errors import DataError


class SplitConfig(Config):
    """What is held out, and what is asked of it."""

    protocol: Literal["slates", "next_click"] = "slates"
    """slates: rank what each slate of the last days showed. next_click: find each reader's last
    click in the whole catalogue; the click before it chooses the epoch."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of slates, by time, before the test; protocol slates."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of slates, by time, at the end; protocol slates."""
    min_clicks: PositiveInt = 5
    """Readers with fewer clicks are trained on, not asked about; protocol next_click."""


@dataclass(frozen=True)
class Questions:
    """Held-out events: given a reader's first clicks, what comes next?"""

    reader: Int[np.ndarray, " events"]
    end: Int[np.ndarray, " events"]
    """The reader's history is ``clicks.news[clicks.offsets[reader]:end]``."""
    slate: Int[np.ndarray, " events"]
    target: Int[np.ndarray, " events"]
    """Clicked news to find in the catalogue; -1 where the whole slate is asked about."""


@dataclass(frozen=True)
class Split:
    """A log cut in three; ``train`` indexes `ReadingLog.clicks`."""

    train: Int[np.ndarray, " train_clicks"]
    history_end: Int[np.ndarray, " clicks"]
    """For each click, where the history that led to it ends."""
    validation: Questions
    test: Questions


def split(log: ReadingLog, config: SplitConfig) -> Split:
    """Cut a log in three by time.

    Raises:
        DataError: Too few clicks to hold any out.
    """
    cut = _by_slate if config.protocol == "slates" else _by_last_click
    result = cut(log, config)
    if not len(result.train) or not len(result.validation.reader) or not len(result.test.reader):
        raise DataError(
            f"the log is too small to split: {len(result.train)} clicks to train on, "
            f"{len(result.validation.reader)} to validate, {len(result.test.reader)} to test; "
            "expected at least 1 of each"
        )
    return result


def _by_last_click(log: ReadingLog, config: SplitConfig) -> Split:
    clicks, offsets = log.clicks, log.clicks.offsets
    asked = np.flatnonzero(np.diff(offsets) >= max(config.min_clicks, 3))
    asked = asked[clicks.slate[offsets[asked + 1] - 2] >= 0]  # both are clicks of this log
    held_out = np.zeros(len(clicks.news), dtype=bool)
    held_out[offsets[asked + 1] - 1] = held_out[offsets[asked + 1] - 2] = True

    def ask(back: int) -> Questions:
        at = offsets[asked + 1] - back
        return Questions(reader=asked, end=at, slate=clicks.slate[at], target=clicks.news[at])

    own = np.arange(len(clicks.news))
    learnable = ~held_out & (clicks.slate >= 0)
    return Split(train=np.flatnonzero(learnable), history_end=own, validation=ask(2), test=ask(1))


def _by_slate(log: ReadingLog, config: SplitConfig) -> Split:
    shown, clicks = log.shown, log.clicks
    num_slates = len(shown.reader)
    first_test = round(num_slates * (1 - config.test))
    first_validation = round(num_slates * (1 - config.test - config.validation))
    end = _history_ends(log)
    judgeable = _has_both(log)

    def ask(first: int, last: int) -> Questions:
        slates = first + np.flatnonzero(judgeable[first:last])
        return Questions(
            reader=shown.reader[slates],
            end=end[slates],
            slate=slates,
            target=np.full(len(slates), -1),
        )

    return Split(
        train=np.flatnonzero((clicks.slate >= 0) & (clicks.slate < first_validation)),
        history_end=np.where(clicks.slate >= 0, end[clicks.slate], 0),
        validation=ask(first_validation, first_test),
        test=ask(first_test, num_slates),
    )


def _history_ends(log: ReadingLog) -> Int[np.ndarray, " slates"]:
    """Count, for each slate, up to where its reader's clicks lie before it."""
    num_slates = len(log.shown.reader)
    key = log.reader_of_click * (num_slates + 1) + log.clicks.slate + 1
    wanted = log.shown.reader * (num_slates + 1) + np.arange(num_slates) + 1
    return np.searchsorted(key, wanted, side="left")


def _has_both(log: ReadingLog) -> Bool[np.ndarray, " slates"]:
    """Tell the slates in which something was clicked and something was not."""
    clicked = np.add.reduceat(log.shown.clicked, log.shown.offsets[:-1], dtype=np.int64)
    return (clicked > 0) & (clicked < np.diff(log.shown.offsets))
