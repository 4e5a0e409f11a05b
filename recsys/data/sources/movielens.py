"""MovieLens 100K and 1M (Harper & Konstan, 2015, doi:10.1145/2827872), as slates of films.

MovieLens has ratings and no slates, so they are made: a reader's ratings, ordered by time and then
by film, are cut into windows of ``WINDOW`` (the last may be shorter). A window is a slate shown at
the time of its first rating; each rating is exactly one impression, at an unknown position; a
rating of ``LIKED`` or more is a click. A slate's rows keep the order of the ratings, and slates are
numbered in the order of their times, so that what was clicked before is the history.

Genres are the categories: the first is ``category``, the second ``subcategory``.
Files: `movielens_100k` and `movielens_1m` know the two layouts.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows
from recsys.data.schema import MAX_SECONDS, TIME
from recsys.data.slates import slate_of
from recsys.data.sources import movielens_1m, movielens_100k
from recsys.data.tally import Seen
from recsys.errors import DataError

WINDOW = 10
LIKED = 4
_LAYOUTS = (movielens_100k, movielens_1m)
_MAX_ID = 2**31 - 1


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read a folder as GroupLens ships it.

    Raises:
        DataError: A file is missing, ratings have no times, or a row is bad and bad rows may not
            be skipped.
    """
    layout = next((layout for layout in _LAYOUTS if raw.has(layout.RATINGS)), None)
    if layout is None:
        names = " or ".join(layout.RATINGS for layout in _LAYOUTS)
        raise DataError.at(raw.path, f"expected a MovieLens folder with {names}")
    for table in layout.news(raw):
        yield "news", table
    for table in layout.attributes(raw):
        yield "attributes", table
    seen = Seen()
    ratings = [_checked(rows, seen).table for rows in layout.ratings(raw)]
    if ratings:
        yield "impressions", _slates(pa.concat_tables(ratings))


def _checked(rows: Rows, seen: Seen) -> Rows:
    rows = rows.integers("user", 1, _MAX_ID).integers("film", 1, _MAX_ID)
    rows = rows.integers("rating", 1, 5).integers("time", 0, MAX_SECONDS)
    pair = (rows["user"].to_numpy() << 31) + rows["film"].to_numpy()
    return rows.demand(~seen.add(pair), "one rating of a film by a user", "film")


def _slates(ratings: pa.Table) -> pa.Table:
    """Cut readers' ratings into windows, and put these in the order of their times."""
    user, film, rating, time = (ratings[name].to_numpy() for name in ratings.column_names)
    order = np.lexsort((film, time, user))
    user = user[order]
    reader_start = np.flatnonzero(np.r_[True, user[1:] != user[:-1]])
    per_reader = np.diff(np.r_[reader_start, len(user)])
    nth = np.arange(len(user)) - np.repeat(reader_start, per_reader)  # of the reader's ratings
    start = np.flatnonzero(nth % WINDOW == 0)
    lengths = np.diff(np.r_[start, len(user)])

    shown_at = time[order][start]
    by_time = np.lexsort((start, shown_at))
    slate = slate_of(lengths[by_time])
    within = np.arange(len(user)) - np.repeat(
        np.cumsum(lengths[by_time]) - lengths[by_time], lengths[by_time]
    )
    rows = order[start[by_time][slate] + within]
    seconds = pa.array(shown_at[by_time][slate], pa.timestamp("s"))
    return pa.table(
        {
            "slate_id": slate + 1,
            "user_id": ratings["user"].take(pa.array(rows)).cast(pa.string()),
            "time": seconds.cast(pa.timestamp("us")).cast(TIME),
            "news_id": ratings["film"].take(pa.array(rows)).cast(pa.string()),
            "position": np.zeros(len(rows), np.int16),
            "clicked": rating[rows] >= LIKED,
        }
    )
