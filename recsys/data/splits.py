"""Which clicks and slates a model may learn from, which choose its epoch, and which judge it."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from pydantic import Field, PositiveInt

from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog, read
from recsys.draws import stream
from recsys.errors import DataError


class SplitConfig(Config):
    """What is held out, and what is asked of it."""

    protocol: Literal["slates", "next_click", "random"] = "slates"
    """slates: rank what each slate of the last days showed. next_click: find each reader's last
    click in the whole catalogue; the click before it chooses the epoch. random: find a random
    share of each reader's clicks in the whole catalogue, whatever their order; it judges how well
    a taste is completed, as most published comparisons do, and leaks the future."""
    positives: Literal["clicks", "impressions"] = "clicks"
    """impressions: everything shown counts as clicked, as ratings do whatever they say."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of slates, by time, before the test (slates), or of each reader's clicks in this log
    (random)."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of slates, by time, at the end (slates), or of each reader's clicks in this log
    (random)."""
    min_clicks: PositiveInt = 5
    """Readers with fewer clicks are trained on, not asked about; next_click (what the log remembers
    counts) and random (it does not)."""


@dataclass(frozen=True)
class Questions:
    """Held-out events: given a reader's first clicks, what comes next?"""

    reader: Int[np.ndarray, " events"]
    end: Int[np.ndarray, " events"]
    """The reader's history is ``clicks.news[clicks.offsets[reader]:end]``."""
    until: Int[np.ndarray, " events"]
    """``clicks.news[end:until]`` are to be found in the catalogue; none where a slate is ranked."""
    slate: Int[np.ndarray, " events"]
    """Slate that is ranked, or in which the first of these was clicked."""

    @property
    def ranks_slates(self) -> bool:
        """Whether slates are ranked, instead of news found in the catalogue."""
        return bool((self.until == self.end).all())


@dataclass(frozen=True)
class Split:
    """A log cut in three; ``train`` indexes `ReadingLog.clicks`."""

    train: Int[np.ndarray, " train_clicks"]
    history_end: Int[np.ndarray, " clicks"]
    """For each click, where the history that led to it ends."""
    validation: Questions
    test: Questions


def read_and_split(dataset: Dataset, config: SplitConfig, *, seed: int) -> tuple[ReadingLog, Split]:
    """Read a dataset, arranged and cut: the same again for the same dataset, settings and seed.

    Raises:
        DataError: The log has no click, or too few to hold any out.
    """
    log = read(dataset, all_clicked=config.positives == "impressions")
    log = arrange(log, config, seed=seed)
    return log, split(log, config)


def arrange(log: ReadingLog, config: SplitConfig, *, seed: int) -> ReadingLog:
    """Put each reader's clicks in the order in which `split` cuts them.

    That is the order of time, except for protocol random: there validation and then test clicks,
    drawn at random, come last, and what is learned from keeps its order before them.
    """
    if config.protocol != "random":
        return log
    clicks, reader = log.clicks, log.reader_of_click
    number = len(reader)
    drawn = stream(seed, "split").random(number) + (clicks.slate < 0)  # remembered: never
    by_draw = np.lexsort((drawn, reader))
    place = np.empty(number, dtype=np.int64)
    place[by_draw] = np.arange(number) - clicks.offsets[reader]
    test, validation = _held_out(log, config)
    part = np.where(place < test[reader], 2, np.where(place < (test + validation)[reader], 1, 0))
    order = np.lexsort((part, reader))  # stable: time inside each part
    moved = dataclasses.replace(
        clicks,
        news=clicks.news[order],
        impression=clicks.impression[order],
        slate=clicks.slate[order],
    )
    return dataclasses.replace(log, clicks=moved)


def split(log: ReadingLog, config: SplitConfig) -> Split:
    """Cut an arranged log in three.

    Raises:
        DataError: Too few clicks to hold any out.
    """
    cuts = {"slates": _by_slate, "next_click": _by_last_click, "random": _by_share}
    result = cuts[config.protocol](log, config)
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
        return Questions(reader=asked, end=at, until=at + 1, slate=clicks.slate[at])

    own = np.arange(len(clicks.news))
    learnable = ~held_out & (clicks.slate >= 0)
    return Split(train=np.flatnonzero(learnable), history_end=own, validation=ask(2), test=ask(1))


def _by_share(log: ReadingLog, config: SplitConfig) -> Split:
    clicks, offsets = log.clicks, log.clicks.offsets
    sizes = np.diff(offsets)
    test, validation = _held_out(log, config)
    asked = np.flatnonzero((test > 0) & (validation > 0))
    last = offsets[asked + 1]
    middle, first = last - test[asked], last - test[asked] - validation[asked]
    place = np.arange(len(clicks.news)) - offsets[log.reader_of_click]
    learned = place < (sizes - test - validation)[log.reader_of_click]

    def ask(start: np.ndarray, end: np.ndarray) -> Questions:
        return Questions(reader=asked, end=start, until=end, slate=clicks.slate[start])

    return Split(
        train=np.flatnonzero(learned & (clicks.slate >= 0)),
        history_end=np.arange(len(clicks.news)),
        validation=ask(first, middle),
        test=ask(middle, last),
    )


def _held_out(
    log: ReadingLog, config: SplitConfig
) -> tuple[Int[np.ndarray, " readers"], Int[np.ndarray, " readers"]]:
    """Count each reader's test and validation clicks: shares of those that slates of the log show.

    What the log only remembers is none of them: nobody knows when it was clicked, or in what slate.
    """
    own = log.reader_of_click[log.clicks.slate >= 0]
    sizes = np.bincount(own, minlength=len(log.user_ids))
    asked = sizes >= config.min_clicks
    test = np.where(asked, np.rint(config.test * sizes), 0).astype(np.int64)
    validation = np.where(asked, np.rint(config.validation * sizes), 0).astype(np.int64)
    return test, validation


def slates_of_test(log: ReadingLog, config: SplitConfig) -> Int[np.ndarray, " slates"]:
    """List every slate of the test's time, also those without a click, that ask nothing.

    None is listed where single clicks are held out: slates around them were chosen for a click.
    """
    if config.protocol != "slates":
        return np.zeros(0, dtype=np.int64)
    num_slates = len(log.shown.reader)
    return np.arange(round(num_slates * (1 - config.test)), num_slates)


def _by_slate(log: ReadingLog, config: SplitConfig) -> Split:
    shown, clicks = log.shown, log.clicks
    num_slates = len(shown.reader)
    first_test = round(num_slates * (1 - config.test))
    first_validation = round(num_slates * (1 - config.test - config.validation))
    end = history_ends(log)
    judgeable = _has_both(log)

    def ask(first: int, last: int) -> Questions:
        slates = first + np.flatnonzero(judgeable[first:last])
        return Questions(
            reader=shown.reader[slates],
            end=end[slates],
            until=end[slates],
            slate=slates,
        )

    return Split(
        train=np.flatnonzero((clicks.slate >= 0) & (clicks.slate < first_validation)),
        history_end=np.where(clicks.slate >= 0, end[clicks.slate], 0),
        validation=ask(first_validation, first_test),
        test=ask(first_test, num_slates),
    )


def history_ends(log: ReadingLog) -> Int[np.ndarray, " slates"]:
    """Count, for each slate, up to where its reader's clicks lie before it."""
    num_slates = len(log.shown.reader)
    key = log.reader_of_click * (num_slates + 1) + log.clicks.slate + 1
    wanted = log.shown.reader * (num_slates + 1) + np.arange(num_slates) + 1
    return np.searchsorted(key, wanted, side="left")


def _has_both(log: ReadingLog) -> Bool[np.ndarray, " slates"]:
    """Tell the slates in which something was clicked and something was not."""
    clicked = np.add.reduceat(log.shown.clicked, log.shown.offsets[:-1], dtype=np.int64)
    return (clicked > 0) & (clicked < np.diff(log.shown.offsets))
