"""Says which Parquet file cannot be read, wherever in it the damage lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from recsys.errors import DataError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file whose pages or footer are read inside; a damaged page is found when read.

    Raises:
        DataError: It is no Parquet file, or damaged.
    """
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).split())
        raise DataError.at(path, f"expected a Parquet file: {reason}") from None
