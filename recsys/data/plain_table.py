"""Reads anyone's table part by part, CSV or Parquet, and says where a value is not as expected."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from recsys.errors import DataError

CHUNK_ROWS = 1 << 18
HEADER_LINES = 1
MAX_SHOWN_COLUMNS = 12
LARGEST = float(np.finfo(np.float32).max)
"""What is read is computed with in single precision."""


def stream(path: Path, needed: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Read a table part by part; the index counts rows from 0.

    Args:
        path: ``.csv``, ``.tsv`` (each optionally compressed, as in ``.csv.gz``) or ``.parquet``.
        needed: Columns that must be there.

    Raises:
        DataError: The file cannot be read or a column is missing.
    """
    read = 0
    try:
        for frame in _frames(path):
            missing = [name for name in needed if name not in frame.columns]
            if missing:
                found = ", ".join(map(str, frame.columns[:MAX_SHOWN_COLUMNS]))
                raise DataError.at(path, f"column {missing[0]!r} is missing; found {found}")
            frame.index = pd.RangeIndex(read, read + len(frame))
            read += len(frame)
            yield frame
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise DataError.at(path, f"expected a CSV or Parquet table: {error}") from None
    if not read:
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
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    if len(wrong):
        value = frame[column].iloc[wrong[0]]
        found = repr(value) if isinstance(value, str) else str(value)
        line = int(frame.index[wrong[0]]) + HEADER_LINES + 1
        raise DataError.at(path, f"{column}: expected {expected}, found {found}", line=line)
    return values


def _frames(path: Path) -> Iterator[pd.DataFrame]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(CHUNK_ROWS):
            yield batch.to_pandas()
        return
    separator = "\t" if ".tsv" in path.suffixes else ","
    yield from pd.read_csv(path, sep=separator, chunksize=CHUNK_ROWS)
