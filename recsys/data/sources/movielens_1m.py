"""The files of MovieLens 1M: ``ratings.dat``, ``users.dat``, ``movies.dat``, split by ``::``."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows, known, nth
from recsys.data.sources import movielens_readers
from recsys.data.tally import Seen
from recsys.errors import DataError

RATINGS = "ratings.dat"
_OCCUPATIONS = pa.array(
    [
        "other", "educator", "artist", "clerical", "college student", "customer service", "doctor",
        "executive", "farmer", "homemaker", "K-12 student", "lawyer", "programmer", "retired",
        "sales", "scientist", "self-employed", "technician", "tradesman", "unemployed", "writer",
    ]
)  # fmt: skip


def ratings(raw: RawFolder) -> Iterator[Rows]:
    """Read ``user``, ``film``, ``rating``, ``time``, as text.

    Raises:
        DataError: The file has no times, as in some copies that went round.
    """
    path = raw.file(RATINGS)
    with path.open("rb") as file:
        if file.readline().count(b"::") == 2:
            message = "ratings have no timestamps, and slates need them; expected"
            raise DataError.at(path, f"{message} UserID::MovieID::Rating::Timestamp", line=1)
    return raw.delimited(RATINGS, ("user", "film", "rating", "time"), "::")


def news(raw: RawFolder) -> Iterator[pa.Table]:
    """Read films; 1M does not say when they were released, but for the year in the title."""
    seen = Seen()
    encoding = raw.encoding("movies.dat")
    for rows in raw.delimited("movies.dat", ("film", "title", "genres"), "::", encoding=encoding):
        rows = rows.filled("film").unique("film", seen)
        genres = pc.split_pattern(rows["genres"], "|")
        yield pa.table(
            {
                "news_id": rows["film"],
                "title": rows["title"],
                "category": known(nth(genres, 0)),
                "subcategory": known(nth(genres, 1)),
            }
        )


def attributes(raw: RawFolder) -> Iterator[pa.Table]:
    """Read readers' gender, age band and occupation."""
    columns = ("user", "gender", "age", "occupation", "zip")
    seen = Seen()
    for rows in raw.delimited("users.dat", columns, "::"):
        rows = movielens_readers.checked(rows, seen)
        rows = rows.integers("occupation", 0, len(_OCCUPATIONS) - 1)
        yield movielens_readers.table(rows, _OCCUPATIONS.take(rows["occupation"].combine_chunks()))
