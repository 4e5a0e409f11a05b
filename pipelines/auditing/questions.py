"""What a run was asked in its test: its log and split again, from its dataset and its settings.

``offline/evaluation.parquet`` has the answers alone: neither slates without a click, nor which of a
slate's clicks were held out, nor what the reader had clicked by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from pipelines.auditing.evidence import Run
from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog
from recsys.data.splits import Questions, read_and_split, slates_of_test
from recsys.errors import CheckpointError


@dataclass(frozen=True)
class HeldOut:
    """What is held out of training for the test; rows of readers and news are the bundle's."""

    log: ReadingLog
    """As training read it."""
    asked: Questions
    slates: Int[np.ndarray, " slates"]
    """Every slate of the test's time, with a click or without; empty where clicks are held out."""

    def clicks(self) -> tuple[Int[np.ndarray, " clicks"], Int[np.ndarray, " clicks"]]:
        """List the clicks that are asked for, and no others: readers and news."""
        clicks = self.log.clicks
        if self.asked.ranks_slates:
            rows = np.flatnonzero(np.isin(clicks.slate, self.asked.slate))
        else:
            spans = zip(self.asked.end, self.asked.until, strict=True)
            rows = np.concatenate([np.arange(*span) for span in spans])
        return self.log.reader_of_click[rows], clicks.news[rows]

    def histories(self, rows: Sequence[int] | np.ndarray) -> list[Int[np.ndarray, " earlier"]]:
        """Cut each reader's clicks where the first question does; all of who is asked none."""
        clicks = self.log.clicks
        ends = clicks.offsets[1:].copy()
        np.minimum.at(ends, self.asked.reader, self.asked.end)
        return [clicks.news[clicks.offsets[row] : ends[row]] for row in rows]

    def click_rates(self) -> pd.DataFrame | None:
        """``user_id`` and ``clicked`` of every impression of the test's slates.

        None where clicks are held out: the slates that hold them were chosen for having a click.
        """
        if not len(self.slates):
            return None
        shown = self.log.shown
        slate = np.repeat(np.arange(len(shown.reader)), np.diff(shown.offsets))
        inside = np.isin(slate, self.slates)
        users = np.asarray(self.log.user_ids, dtype=object)[shown.reader[slate[inside]]]
        return pd.DataFrame({"user_id": users, "clicked": shown.clicked[inside]})


def held_out(run: Run, dataset: Dataset) -> HeldOut:
    """Read and cut a run's dataset as its training did.

    Raises:
        CheckpointError: The settings of the run do not lead to its readers, news and events.
        DataError: The log is too small to split.
    """
    log, parts = read_and_split(dataset, run.split, seed=run.seed)
    ids = (list(run.bundle.readers.ids), list(run.bundle.catalogue.ids))
    judged = log.shown.ids[parts.test.slate]
    if ids != (log.user_ids, log.news_ids) or not np.array_equal(judged, run.events["slate_id"]):
        raise CheckpointError(
            f"{run.path}: readers, news or held-out events are not those that its config.toml "
            f"makes of {dataset.path}; expected a run as `recsys train` left it"
        )
    return HeldOut(log, parts.test, slates_of_test(log, run.split))
