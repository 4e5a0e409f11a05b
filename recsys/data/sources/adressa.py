"""Adressa (Gulla et al., WI 2017, doi:10.1145/3106426.3109436): one JSON object a line.

Every file of the folder is read, in the order of names (the publisher's are days: ``20170101``).
Adressa logs what readers opened and not what they were shown. So each event on a news is a slate of
that one news, clicked, at an unknown position; its number is ``eventId``. Events on other pages
(without ``id``) are left out and counted. ``dwell_seconds`` is ``activeTime``.

A news is known from its events: the first that has a title, category or time of publishing gives
it. ``category1`` such as ``nyheter|trondheim`` is category and subcategory. A time of publishing
that cannot be read, or is of another zone than UTC, is unknown.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows, known, nth
from recsys.data.schema import MAX_SECONDS, TIME
from recsys.data.tally import Seen
from recsys.errors import DataError

_EVENT = pa.schema(
    [
        ("eventId", pa.int64()),
        ("userId", pa.string()),
        ("id", pa.string()),
        ("time", pa.int64()),
        ("title", pa.string()),
        ("category1", pa.string()),
        ("publishtime", pa.string()),
        ("activeTime", pa.float64()),
    ]
)
_NEWS = ("title", "category1", "publishtime")
_FIRST = pc.ScalarAggregateOptions(skip_nulls=True)
_COMPACT_PARTS = 16
_PATTERN, _SECONDS = "%Y-%m-%dT%H:%M:%S", len("2017-01-01T14:52:33")
_UTC = rf"^.{{{_SECONDS}}}(\.[0-9]+)?Z?$"


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read the events of all files.

    Raises:
        DataError: There is no file, or a row is bad and bad rows may not be skipped.
    """
    names = raw.names()
    if not names:
        raise DataError.at(raw.path, "expected files of JSON lines, found none")
    seen = Seen()
    news: list[pa.Table] = []
    for name in names:
        for rows in raw.json_lines(name, _EVENT):
            rows = _on_news(_checked(rows, seen))
            if len(rows):
                yield "impressions", _impressions(rows)
                news.append(_first_known(rows.table.select(["id", *_NEWS])))
                news = [_merged(news)] if len(news) == _COMPACT_PARTS else news
    if news:
        yield "news", _news(_merged(news))


def _checked(rows: Rows, seen: Seen) -> Rows:
    rows = rows.present("eventId", "time").filled("userId")
    time = rows["time"]
    good = pc.and_(pc.greater_equal(time, 0), pc.less_equal(time, MAX_SECONDS))
    rows = rows.demand(good, "time: seconds since 1970", "time")
    active = pc.fill_null(pc.greater_equal(rows["activeTime"], 0), True)
    rows = rows.demand(active, "activeTime: at least 0 or nothing", "activeTime")
    return rows.unique("eventId", seen)


def _on_news(rows: Rows) -> Rows:
    on_news = pc.greater(pc.fill_null(pc.binary_length(rows["id"]), 0), 0)
    return rows.leave_out(on_news, "events on pages that are no news")


def _impressions(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "slate_id": rows["eventId"],
            "user_id": rows["userId"],
            "time": rows["time"].cast(pa.timestamp("s")).cast(TIME),
            "news_id": rows["id"],
            "position": np.zeros(len(rows), np.int16),
            "clicked": np.ones(len(rows), bool),
            "dwell_seconds": rows["activeTime"].cast(pa.float32()),
        }
    )


def _first_known(events: pa.Table) -> pa.Table:
    """Keep one row a news, with the first value that is there in each column."""
    first = events.group_by("id", use_threads=False).aggregate(
        [(column, "first", _FIRST) for column in _NEWS]
    )
    return first.rename_columns({f"{column}_first": column for column in _NEWS})


def _merged(news: list[pa.Table]) -> pa.Table:
    return _first_known(pa.concat_tables(news))


def _news(events: pa.Table) -> pa.Table:
    categories = pc.split_pattern(pc.fill_null(events["category1"], ""), "|", max_splits=1)
    in_utc = pc.match_substring_regex(events["publishtime"], _UTC)
    moment = pc.utf8_slice_codeunits(events["publishtime"], 0, _SECONDS)
    published = pc.strptime(pc.if_else(in_utc, moment, None), _PATTERN, "us", True)
    return pa.table(
        {
            "news_id": events["id"],
            "title": pc.fill_null(events["title"], ""),
            "category": known(nth(categories, 0)),
            "subcategory": known(nth(categories, 1)),
            "published_at": published.cast(TIME),
        }
    )
