"""The files of MovieLens 100K: ``u.data``, ``u.user``, ``u.item``."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows
from recsys.data.schema import TIME
from recsys.data.sources import movielens_readers
from recsys.data.tally import Seen

RATINGS = "u.data"
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


def ratings(raw: RawFolder) -> Iterator[Rows]:
    """Read ``user``, ``film``, ``rating``, ``time``, as text."""
    return raw.delimited(RATINGS, ("user", "film", "rating", "time"), "\t")


def news(raw: RawFolder) -> Iterator[pa.Table]:
    """Read films; a release date that cannot be read is unknown."""
    columns = ("film", "title", "released", "video", "url", *_GENRES)
    seen = Seen()
    for rows in raw.delimited("u.item", columns, "|", encoding=raw.encoding("u.item")):
        for genre in _GENRES:
            rows = rows.integers(genre, 0, 1)
        rows = rows.filled("film").unique("film", seen)
        first, second = _genres(rows)
        released = pc.strptime(rows["released"], "%d-%b-%Y", "us", error_is_null=True)
        yield pa.table(
            {
                "news_id": rows["film"],
                "title": rows["title"],
                "category": first,
                "subcategory": second,
                "published_at": released.cast(TIME),
            }
        )


def attributes(raw: RawFolder) -> Iterator[pa.Table]:
    """Read readers' gender, age band and occupation."""
    columns = ("user", "age", "gender", "occupation", "zip")
    seen = Seen()
    for rows in raw.delimited("u.user", columns, "|"):
        rows = movielens_readers.checked(rows, seen).filled("occupation")
        yield movielens_readers.table(rows, rows["occupation"])


def _genres(rows: Rows) -> tuple[pa.Array, pa.Array]:
    """Return the first and the second genre that is set, null where there is none."""
    flags = np.stack([rows[genre].to_numpy() for genre in _GENRES], axis=1)
    rank = np.cumsum(flags, axis=1) * flags
    return _names(rank == 1), _names(rank == 2)


def _names(chosen: Bool[np.ndarray, "films genres"]) -> pa.Array:
    return pa.array(np.array(_GENRES)[chosen.argmax(axis=1)], mask=~chosen.any(axis=1))
