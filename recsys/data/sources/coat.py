"""Coat Shopping (Schnabel et al., ICML 2016): self-selected and randomised ratings of coats.

Format: https://www.cs.cornell.edu/~schnabts/mnar/

``train.ascii`` (self-selected) and ``test.ascii`` (16 coats a reader, drawn by chance) are
matrices: a line a reader, a column a coat, 0 for no rating. ``user_features.ascii`` and
``item_features.ascii`` are indicators, named by ``user_features_map.txt`` and
``item_features_map.txt``. Readers and coats are numbered from 0; a coat's title is put together
from its features, and its ``embedding`` is its indicators.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from recsys.data.raw import RawFolder
from recsys.errors import DataError

MAX_RATING = 5
READERS = 290
COATS = 300


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read Coat.

    Raises:
        DataError: A file is missing, is not of the published shape, or holds another number.
    """
    reader_names, readers = _features(raw, "user", READERS)
    coat_names, coats = _features(raw, "item", COATS)
    yield "attributes", _attributes(reader_names, readers)
    yield "news", _news(coat_names, coats)
    yield "ratings", _ratings(_matrix(raw, "train.ascii", (READERS, COATS), MAX_RATING), False)
    yield "ratings", _ratings(_matrix(raw, "test.ascii", (READERS, COATS), MAX_RATING), True)


def _matrix(
    raw: RawFolder, name: str, shape: tuple[int, int], most: int
) -> Int64[np.ndarray, "rows columns"]:
    columns = [str(number) for number in range(shape[1])]
    blocks = []
    for rows in raw.delimited(name, columns, " "):
        for column in columns:
            rows = rows.integers(column, 0, most)
        blocks.append(np.column_stack([rows[column].to_numpy() for column in columns]))
    matrix = np.vstack(blocks) if blocks else np.empty((0, shape[1]), np.int64)
    if len(matrix) != shape[0]:
        # a line left out would shift every reader below it
        raise DataError.at(raw.path / name, f"expected {shape[0]} good lines, found {len(matrix)}")
    return matrix


def _features(
    raw: RawFolder, side: str, count: int
) -> tuple[list[tuple[str, str]], Int64[np.ndarray, "rows features"]]:
    """Read indicators, and their names as pairs such as ("gender", "men")."""
    path = raw.file(f"{side}_features_map.txt")
    names = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        feature, colon, value = line.strip().partition(":")
        if not colon:
            raise DataError.at(path, f"expected feature:value, found {line!r}", line=number)
        names.append((feature, value))
    return names, _matrix(raw, f"{side}_features.ascii", (count, len(names)), 1)


def _value(
    names: list[tuple[str, str]], table: Int64[np.ndarray, "rows features"], feature: str
) -> list[str | None]:
    """Return the value whose indicator is set, row by row; None where none is."""
    values = [(index, value) for index, (name, value) in enumerate(names) if name == feature]
    return [next((value for index, value in values if row[index]), None) for row in table]


def _attributes(
    names: list[tuple[str, str]], table: Int64[np.ndarray, "rows features"]
) -> pa.Table:
    features = dict.fromkeys(feature for feature, _ in names)
    columns = {
        feature: pa.array(_value(names, table, feature), pa.string()) for feature in features
    }
    return pa.table({"user_id": _ids(len(table)), **columns})


def _news(names: list[tuple[str, str]], table: Int64[np.ndarray, "rows features"]) -> pa.Table:
    kinds, colours, genders = (
        _value(names, table, feature) for feature in ("jackettype", "color", "gender")
    )
    parts = zip(colours, kinds, genders, strict=True)
    titles = [
        f"{colour or ''} {kind or ''} jacket, {gender or ''}" for colour, kind, gender in parts
    ]
    flat = pa.array(table.astype(np.float32).ravel())
    return pa.table(
        {
            "news_id": _ids(len(table)),
            "title": [title.strip(" ,") for title in titles],
            "category": pa.array(kinds, pa.string()),
            "subcategory": pa.array(colours, pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, table.shape[1]),
        }
    )


def _ratings(matrix: Int64[np.ndarray, "rows columns"], randomised: bool) -> pa.Table:
    readers, coats = matrix.nonzero()
    return pa.table(
        {
            "user_id": readers.astype(str),
            "news_id": coats.astype(str),
            "value": matrix[readers, coats].astype(np.float32),
            "randomised": np.full(len(readers), randomised),
        }
    )


def _ids(count: int) -> pa.Array:
    return pa.array(np.arange(count).astype(str))
