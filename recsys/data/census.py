"""Checks a dataset and counts what is in it while its tables stream by."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from recsys.config import Config
from recsys.data.slates import has_repeats
from recsys.data.tally import Seen, Tally
from recsys.errors import DataError


class Counts(Config):
    """How much a dataset holds."""

    readers: int
    """Distinct readers of the impressions, or of the ratings where there are no impressions."""
    news: int
    """Rows of ``news.parquet``."""
    slates: int
    impressions: int
    clicks: int
    histories: int
    attributes: int
    """Rows of ``attributes.parquet``: readers of whom something may be known."""
    ratings: int
    unknown_news: int
    """Impressions (or ratings) of a news that ``news.parquet`` does not have."""
    without_text: int
    """Impressions (or ratings) whose news is unknown or has an empty title."""


class Census:
    """Takes conformed tables one by one, refuses what breaks the contract, and counts the rest.

    The rows of a slate must be adjacent and within one table. Memory grows with distinct readers,
    news and slates, never with impressions.
    """

    def __init__(self) -> None:
        self._rows = dict.fromkeys(("news", "impressions", "histories", "attributes", "ratings"), 0)
        self._clicks = 0
        self._times: list[tuple[datetime, datetime]] = []
        self._readers = Tally()
        self._shown = Tally()
        self._slates = Seen()
        self._num_slates = 0
        self._news: list[pa.Table] = []
        self._attribute_readers: list[pa.Array] = []

    def add(self, name: str, table: pa.Table) -> None:
        """Check one conformed, non-empty table called ``name`` and count it.

        Raises:
            DataError: An id is repeated, a slate is torn apart or a value is out of range.
        """
        self._rows[name] += table.num_rows
        check = getattr(self, f"_add_{name}", None)
        if check:
            check(table)

    @property
    def time_range(self) -> tuple[datetime, datetime] | None:
        """First and last moment, UTC; None when no row has a time."""
        if not self._times:
            return None
        first, last = zip(*self._times, strict=True)
        return min(first), max(last)

    def close(self) -> Counts:
        """Check what only the whole can tell, and return the counts.

        Raises:
            DataError: Nobody was shown or rated anything, or a news or reader is listed twice.
        """
        if not self._rows["impressions"] and not self._rows["ratings"]:
            raise DataError("the log is empty: expected at least one impression or rating")
        news = pa.concat_tables(self._news) if self._news else _NO_NEWS
        _unique("news", "news_id", news["news_id"])
        if self._attribute_readers:
            _unique("attributes", "user_id", pa.chunked_array(self._attribute_readers))
        shown = self._shown.counts()
        texts = news.filter(news["has_text"])["news_id"]
        return Counts(
            **self._rows,
            readers=self._readers.counts().num_rows,
            slates=self._num_slates,
            clicks=self._clicks,
            unknown_news=_outside(shown, news["news_id"]),
            without_text=_outside(shown, texts),
        )

    def _add_news(self, table: pa.Table) -> None:
        _not_empty("news", "news_id", table["news_id"])
        text = pc.greater(pc.binary_length(table["title"]), 0)
        self._news.append(pa.table({"news_id": table["news_id"], "has_text": text}))

    def _add_attributes(self, table: pa.Table) -> None:
        _not_empty("attributes", "user_id", table["user_id"])
        self._attribute_readers.extend(table["user_id"].chunks)

    def _add_histories(self, table: pa.Table) -> None:
        _not_empty("histories", "user_id", table["user_id"])

    def _add_ratings(self, table: pa.Table) -> None:
        readers, news = (_codes(table[name].dictionary_encode()) for name in ("user_id", "news_id"))
        _not_empty("ratings", "user_id", readers.dictionary)
        _not_empty("ratings", "news_id", news.dictionary)
        values = table["value"]
        _demand("ratings: value", values, pc.is_finite(values), "a finite number")
        self._readers.add(readers)
        self._shown.add(news)
        self._note_times(table["time"])

    def _add_impressions(self, table: pa.Table) -> None:
        _in_range(table)
        self._note_times(table["time"])
        self._clicks += pc.sum(table["clicked"]).as_py()
        readers, news = _codes(table["user_id"]), _codes(table["news_id"])
        _not_empty("impressions", "user_id", readers.dictionary)
        _not_empty("impressions", "news_id", news.dictionary)
        self._check_slates(table, _ints(readers.indices), _ints(news.indices))
        self._readers.add(readers)
        self._shown.add(news)

    def _check_slates(self, table: pa.Table, readers: np.ndarray, news: np.ndarray) -> None:
        slates = _ints(table["slate_id"])
        starts = np.flatnonzero(np.r_[True, slates[1:] != slates[:-1]])
        repeated = self._slates.add(slates[starts])
        if repeated.any():
            slate = slates[starts][repeated][0]
            raise DataError(f"impressions: slate_id {slate} comes twice; its rows must be adjacent")
        self._num_slates += len(starts)
        for column, values in (("user_id", readers), ("time", _ints(table["time"]))):
            changed = values[1:] != values[:-1]
            changed[starts[1:] - 1] = False
            _refuse(slates[1:], changed, f"more than one {column}")
        repeats = has_repeats(news, np.diff(np.r_[starts, len(slates)]))
        _refuse(slates[starts], repeats, "a news twice")

    def _note_times(self, column: pa.ChunkedArray) -> None:
        try:
            span = pc.min_max(column).as_py()
        except OverflowError:
            raise DataError("time: expected a year from 1 to 9999") from None
        if span["min"] is not None:
            self._times.append((span["min"], span["max"]))


_NO_NEWS = pa.table({"news_id": pa.array([], pa.string()), "has_text": pa.array([], pa.bool_())})


def _codes(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.unify_dictionaries().combine_chunks()


def _ints(column: Any) -> Int64[np.ndarray, " rows"]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.to_numpy()


def _in_range(table: pa.Table) -> None:
    """Refuse numbers outside what their column may hold."""
    position, propensity, dwell = map(table.column, ("position", "propensity", "dwell_seconds"))
    ranks, seconds = pc.greater_equal(position, 0), pc.greater_equal(dwell, 0)
    likely = pc.and_(pc.greater(propensity, 0), pc.less_equal(propensity, 1))
    _demand("impressions: position", position, ranks, "0 (unknown) or a rank from 1")
    _demand("impressions: propensity", propensity, likely, "a number in (0, 1]")
    _demand("impressions: dwell_seconds", dwell, seconds, "at least 0")


def _demand(where: str, values: pa.ChunkedArray, good: pa.ChunkedArray, expected: str) -> None:
    """Refuse a value that is not good; one that is missing is."""
    bad = pc.invert(good)
    if pc.any(bad).as_py():
        raise DataError(f"{where}: expected {expected}, found {values.filter(bad)[0]}")


def _not_empty(name: str, key: str, ids: pa.Array | pa.ChunkedArray) -> None:
    if pc.any(pc.equal(pc.binary_length(ids), 0)).as_py():
        raise DataError(f"{name}: {key}: expected an id, found an empty text")


def _refuse(slates: np.ndarray, bad: Bool[np.ndarray, " rows"], what: str) -> None:
    if bad.any():
        raise DataError(f"impressions: slate_id {slates[bad][0]} has {what}")


def _unique(name: str, key: str, column: pa.ChunkedArray) -> None:
    counts = column.value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        raise DataError(f"{name}: {key} {repeated[0]['values'].as_py()!r} comes twice")


def _outside(shown: pa.Table, known: pa.ChunkedArray) -> int:
    """Add up the counts of ids that are not in ``known``."""
    missing = pc.invert(pc.is_in(shown["id"], value_set=known.combine_chunks()))
    return pc.sum(shown["count"].filter(missing)).as_py() or 0
