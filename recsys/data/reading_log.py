"""A dataset as arrays: who clicked what in which order, and what each slate showed.

News, readers and slates are rows (0, 1, …) here; ids stay in ``news_ids`` and ``user_ids``. News
that only impressions or histories name come after those of the news table.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from recsys.data.dataset import Dataset
from recsys.errors import DataError


@dataclass(frozen=True)
class Shown:
    """Impressions in order of slate; slates in order of time."""

    offsets: Int[np.ndarray, " slates_plus_one"]
    """Slate s showed ``news[offsets[s]:offsets[s + 1]]``."""
    news: Int[np.ndarray, " impressions"]
    clicked: Bool[np.ndarray, " impressions"]
    weights: Float[np.ndarray, " impressions"]
    """What a click counts; 1 unless propensities were estimated."""
    reader: Int[np.ndarray, " slates"]
    time: Int[np.ndarray, " slates"]
    """Seconds since the epoch, UTC."""
    ids: Int[np.ndarray, " slates"]
    """The log's own ``slate_id``."""


@dataclass(frozen=True)
class Clicks:
    """Each reader's clicks in turn, oldest first; what a log says of older ones stands before."""

    offsets: Int[np.ndarray, " readers_plus_one"]
    """Reader r clicked ``news[offsets[r]:offsets[r + 1]]``."""
    news: Int[np.ndarray, " clicks"]
    impression: Int[np.ndarray, " clicks"]
    """Row of the impression that was clicked; -1 for a click the log only remembers."""
    slate: Int[np.ndarray, " clicks"]
    """Slate it was clicked in; -1 likewise."""


@dataclass(frozen=True)
class ReadingLog:
    """What training and evaluation know of a dataset."""

    news_ids: list[str]
    num_described: int
    """The first ``num_described`` news are the rows of the news table, in its order."""
    user_ids: list[str]
    shown: Shown
    clicks: Clicks

    @property
    def reader_of_click(self) -> Int[np.ndarray, " clicks"]:
        """Row of the reader behind each click."""
        return np.repeat(np.arange(len(self.user_ids)), np.diff(self.clicks.offsets))


def read(dataset: Dataset, *, all_clicked: bool = False) -> ReadingLog:
    """Turn a dataset's tables into arrays.

    Args:
        dataset: Where the tables are.
        all_clicked: Take everything shown as clicked, as ratings are where only that they were
            given counts.

    Raises:
        DataError: Nobody clicked anything.
    """
    impressions = in_order(dataset.impressions)
    if all_clicked:
        impressions = impressions.assign(clicked=True)
    if not impressions["clicked"].any():
        raise DataError.at(dataset.path, "no impression was clicked: nothing to learn from")
    remembered = _remembered(dataset.histories, impressions)
    described = dataset.news["news_id"].astype(str)
    named = pd.concat([described, impressions["news_id"].astype(str), remembered["news_id"]])
    news, news_ids = pd.factorize(named)
    people = pd.concat([impressions["user_id"].astype(str), remembered["user_id"]])
    readers, user_ids = pd.factorize(people)
    first, last = len(described), len(described) + len(impressions)
    shown = _shown(impressions, news[first:last], readers[: len(impressions)])
    clicks = _clicks(shown, len(user_ids), news[last:], readers[len(impressions) :])
    return ReadingLog(
        news_ids=list(news_ids),
        num_described=first,
        user_ids=list(user_ids),
        shown=shown,
        clicks=clicks,
    )


def in_order(impressions: pd.DataFrame) -> pd.DataFrame:
    """Sort impressions as `Shown` holds them; the index says where each row stood."""
    return impressions.sort_values(["time", "slate_id"], kind="stable")


def _remembered(histories: pd.DataFrame | None, impressions: pd.DataFrame) -> pd.DataFrame:
    """List what each reader had clicked before the first slate, click by click.

    That is the newest history at or before it: later ones add clicks that impressions show.
    """
    if histories is None:
        return pd.DataFrame({"user_id": pd.Series(dtype=str), "news_id": pd.Series(dtype=str)})
    begins = histories["user_id"].map(impressions.groupby("user_id", observed=True)["time"].min())
    before = histories[histories["time"] <= begins].sort_values("time", kind="stable")
    newest = before.drop_duplicates("user_id", keep="last")
    flat = newest[["user_id", "history"]].explode("history").dropna()
    return flat.rename(columns={"history": "news_id"}).astype(str)


def _shown(impressions: pd.DataFrame, news: np.ndarray, readers: np.ndarray) -> Shown:
    slates = impressions["slate_id"].to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], slates[1:] != slates[:-1]]))
    seconds = impressions["time"].dt.as_unit("s").astype("int64").to_numpy()
    return Shown(
        offsets=np.append(starts, len(slates)),
        news=news,
        clicked=impressions["clicked"].to_numpy(dtype=bool),
        weights=np.ones(len(slates), dtype=np.float32),
        reader=readers[starts],
        time=seconds[starts],
        ids=slates[starts],
    )


def _clicks(
    shown: Shown, num_readers: int, old_news: np.ndarray, old_readers: np.ndarray
) -> Clicks:
    """Put the remembered clicks first and the log's after them, reader by reader."""
    impression = np.flatnonzero(shown.clicked)
    slate = np.searchsorted(shown.offsets, impression, side="right") - 1
    nothing = np.full(len(old_news), -1)
    readers = np.concatenate([old_readers, shown.reader[slate]])
    order = np.argsort(readers, kind="stable")
    return Clicks(
        offsets=np.searchsorted(readers[order], np.arange(num_readers + 1)),
        news=np.concatenate([old_news, shown.news[impression]])[order],
        impression=np.concatenate([nothing, impression])[order],
        slate=np.concatenate([nothing, slate])[order],
    )
