"""KuaiRec (Gao et al., CIKM 2022): how far readers watched videos; one part is fully observed.

Format: https://kuairec.com, files of the folder ``data``.

``big_matrix.csv`` is what the recommender showed; ``small_matrix.csv`` holds almost every pair of
its readers and videos, so that nothing was selected: it is marked as randomised. ``value`` is the
watch ratio (seconds watched over length, at least 0, above 1 when watched again). Where they are
there, ``item_categories.csv`` gives a video's tags (the first is its category, the second its
subcategory) and ``user_features.csv`` the ranges that describe a reader.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows
from recsys.data.schema import LARGEST, MAX_SECONDS, TIME
from recsys.data.tally import Seen
from recsys.errors import DataError

PARTS = {"big_matrix.csv": False, "small_matrix.csv": True}
"""File to whether its pairs are free of selection."""
READER_COLUMNS = (
    "user_active_degree",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
)
_COLUMNS = ["user_id", "news_id", "play", "length", "local_time", "date", "timestamp", "value"]
_HEADER = [
    *("user_id", "video_id", "play_duration", "video_duration"),
    *("time", "date", "timestamp", "watch_ratio"),
]
_NUMBER = r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_MAX_ID = 10**9


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read KuaiRec.

    Raises:
        DataError: A file is missing, or a row is bad and bad rows are not to be skipped.
    """
    tags = _tags(raw) if raw.has("item_categories.csv") else {}
    if raw.has("user_features.csv"):
        yield "attributes", _attributes(raw)
    videos = Seen()
    for name, randomised in PARTS.items():
        for rows in _headed(raw, name):
            rows = _checked(rows)
            new = pc.unique(rows["news_id"]).to_numpy()
            yield "news", _news(new[~videos.add(new)], tags)
            yield "ratings", _ratings(rows, randomised)


def _headed(raw: RawFolder, name: str) -> Iterator[Rows]:
    """Read a table whose first line says what its columns are."""
    for number, rows in enumerate(raw.delimited(name, _COLUMNS, ",")):
        if number:
            yield rows
            continue
        first = [str(rows[column][0]) for column in _COLUMNS] if rows.lines[:1] == 1 else []
        if first != _HEADER:
            raise DataError.at(rows.path, f"expected the header {','.join(_HEADER)}", line=1)
        yield Rows(rows.path, rows.table.slice(1), rows.lines[1:], rows.bad_rows)


def _checked(rows: Rows) -> Rows:
    """Demand ids, a ratio that single precision holds, and a time in seconds where there is one."""
    rows = rows.integers("user_id", 0, _MAX_ID).integers("news_id", 0, _MAX_ID)
    number = pc.match_substring_regex(rows["value"], _NUMBER)
    rows = rows.demand(number, "watch_ratio: a number, at least 0", "value")
    ratio = pc.less_equal(rows["value"].cast(pa.float64()), LARGEST)
    rows = rows.demand(ratio, f"watch_ratio: at most {LARGEST:.2g}", "value")
    seconds = pc.less_equal(_seconds(rows), MAX_SECONDS)
    return rows.demand(pc.fill_null(seconds, True), "timestamp: seconds since 1970", "timestamp")


def _seconds(rows: Rows) -> pa.ChunkedArray:
    """The time of each row; null where it has none."""
    number = pc.match_substring_regex(rows["timestamp"], _NUMBER)
    return pc.if_else(number, rows["timestamp"], None).cast(pa.float64())


def _ratings(rows: Rows, randomised: bool) -> pa.Table:
    return pa.table(
        {
            "user_id": rows["user_id"].cast(pa.string()),
            "news_id": rows["news_id"].cast(pa.string()),
            "value": rows["value"].cast(pa.float32()),
            "time": _moments(_seconds(rows)),
            "randomised": np.full(len(rows), randomised),
        }
    )


def _moments(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn seconds since the epoch into times in UTC; some are missing."""
    return pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(TIME)


def _news(videos: np.ndarray, tags: dict[int, list[int]]) -> pa.Table:
    def tag(place: int) -> list[str | None]:
        found = (tags.get(int(video), []) for video in videos)
        return [str(names[place]) if len(names) > place else None for names in found]

    return pa.table(
        {
            "news_id": videos.astype(str),
            "title": [""] * len(videos),
            "category": pa.array(tag(0), pa.string()),
            "subcategory": pa.array(tag(1), pa.string()),
        }
    )


def _tags(raw: RawFolder) -> dict[int, list[int]]:
    table = _table(raw, "item_categories.csv", ["video_id", "feat"])
    try:
        feats = [json.loads(text) for text in table["feat"].to_pylist()]
        return dict(zip(table["video_id"].cast(pa.int64()).to_pylist(), feats, strict=True))
    except (json.JSONDecodeError, pa.ArrowInvalid) as error:
        path = raw.path / "item_categories.csv"
        raise DataError.at(path, f"expected video ids and lists of tags: {error}") from None


def _attributes(raw: RawFolder) -> pa.Table:
    return _table(raw, "user_features.csv", ["user_id", *READER_COLUMNS])


def _table(raw: RawFolder, name: str, columns: Sequence[str]) -> pa.Table:
    """Read some columns of a small quoted CSV file, as text."""
    kinds = pyarrow.csv.ConvertOptions(
        include_columns=list(columns),
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
    )
    try:
        return pyarrow.csv.read_csv(raw.file(name), convert_options=kinds)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise DataError.at(
            raw.path / name, f"expected columns {', '.join(columns)}: {error}"
        ) from None
