"""Reads anyone's table part by part, CSV or Parquet, and says where a value is not as expected."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int64

from recsys.data.schema import LARGEST, MAX_POSITION
from recsys.errors import DataError

CHUNK_ROWS = 1 << 18
MAX_SHOWN_COLUMNS = 12
_NOTHING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
"""What a cell of a CSV holds that has no value; a name may be any of these but the first."""


def stream(
    path: Path, needed: Sequence[str], *, texts: Sequence[str] = ()
) -> Iterator[pd.DataFrame]:
    """Read a table part by part; the index is the line of each row, in Parquet the row from 1.

    Args:
        path: ``.csv``, ``.tsv`` (each optionally compressed, as in ``.csv.gz``) or ``.parquet``.
        needed: Columns that must be there.
        texts: Columns that a CSV's cells are read from as they stand: no part of it takes ``007``
            for a number, or nothing for one.

    Raises:
        DataError: The file cannot be read or a column is missing.
    """
    first = line = 1 if path.suffix == ".parquet" else 2  # a header stands before
    try:
        for frame in _frames(path, texts):
            missing = [name for name in needed if name not in frame.columns]
            if missing:
                found = ", ".join(map(str, frame.columns[:MAX_SHOWN_COLUMNS]))
                raise DataError.at(path, f"column {missing[0]!r} is missing; found {found}")
            frame.index = pd.RangeIndex(line, line + len(frame))
            line += len(frame)
            yield frame
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError.at(path, f"expected a CSV or Parquet table: {error}") from None
    if line == first:
        raise DataError.at(path, "has no rows")


def numbers(
    path: Path,
    frame: pd.DataFrame,
    column: str,
    *,
    low: float = -LARGEST,
    high: float = LARGEST,
    expected: str = "a number",
) -> Float[np.ndarray, " rows"]:
    """Read a column of finite numbers in [low, high].

    Raises:
        DataError: A value is no number or out of range; the message names file, line and column.
    """
    values = _floats(frame[column])
    _demand(path, frame[column], (values >= low) & (values <= high), expected)
    return values


def positions(path: Path, frame: pd.DataFrame, column: str) -> Int64[np.ndarray, " rows"]:
    """Read a column of positions, whole numbers from 1.

    Raises:
        DataError: A value is none; the message names file, line and column.
    """
    values = _floats(frame[column])
    good = (values >= 1) & (values <= MAX_POSITION) & (values == np.rint(values))
    _demand(path, frame[column], good, "a position, from 1")
    return values.astype(np.int64)


def names(path: Path, frame: pd.DataFrame, column: str) -> pd.Series:
    """Read a column of names, such as ids, as text; in a CSV it is one of ``texts``.

    Raises:
        DataError: A row has none; the message names file, line and column.
    """
    values = frame[column]
    _demand(path, values, (values.notna() & (values != "")).to_numpy(dtype=bool), "a name")
    return values.astype(str)


def _floats(column: pd.Series) -> Float[np.ndarray, " rows"]:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)


def _demand(path: Path, column: pd.Series, good: Bool[np.ndarray, " rows"], expected: str) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        value, line = column.iloc[wrong[0]], int(column.index[wrong[0]])
        found = repr(value) if isinstance(value, str) else str(value)
        raise DataError.at(path, f"{column.name}: expected {expected}, found {found}", line=line)


def _frames(path: Path, texts: Sequence[str]) -> Iterator[pd.DataFrame]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(CHUNK_ROWS):
            yield batch.to_pandas()
        return
    separator = "\t" if ".tsv" in path.suffixes else ","
    columns = pd.read_csv(path, sep=separator, nrows=0).columns
    yield from pd.read_csv(
        path,
        sep=separator,
        chunksize=CHUNK_ROWS,
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values={column: _NOTHING for column in columns if column not in texts},
    )
