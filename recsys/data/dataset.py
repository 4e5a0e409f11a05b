"""A canonical dataset: a folder of Parquet tables and the `dataset.json` that describes it."""

import hashlib
import platform
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from recsys.config import Config
from recsys.data.census import Census, Counts
from recsys.data.parquet import reading
from recsys.data.schema import ENCODED_COLUMNS, TABLES, canonical, conform
from recsys.errors import DataError

DATASET_JSON = "dataset.json"
REJECTED_JSON = "rejected.json"
BATCH_ROWS = 1 << 20


class DatasetInfo(Config):
    """What ``dataset.json`` says."""

    source: str
    """The format it was read from, or ``simulation``."""
    first_time: datetime | None
    """UTC; None when no row has a time."""
    last_time: datetime | None
    """UTC."""
    counts: Counts
    attributes: list[str]
    """Names of the sensitive attributes."""
    dropped: dict[str, int]
    """Raw rows that were left out, by file and reason."""
    sha256: dict[str, str]
    """Of each file beside this one."""
    versions: dict[str, str]
    """Of the libraries that wrote it."""


class Dataset:
    """A dataset on disk. Its tables are read when they are asked for.

    Use :meth:`open`. Every frame has the columns of `recsys.data.schema`, with strings as ``str``.
    Reading a table raises DataError where its file is damaged.
    """

    def __init__(self, path: Path, info: DatasetInfo) -> None:
        self.path = path
        self.info = info

    @classmethod
    def open(cls, path: Path) -> "Dataset":
        """Open a folder and make sure that it still is what was checked when it was written.

        The contents of each file are known by their SHA-256, so ids and references need not be
        counted again; :meth:`check` does.

        Raises:
            DataError: The folder is no dataset, or a file is missing, changed or has other columns.
        """
        info = _read_info(path / DATASET_JSON)
        for name, digest in info.sha256.items():
            if not (path / name).is_file():
                raise DataError.at(path / name, "the file is missing; expected as in dataset.json")
            if sha256(path / name) != digest:
                raise DataError.at(path / name, "has changed since dataset.json was written")
        for name in TABLES:
            _check_columns(path, name, getattr(info.counts, name))
        return cls(path, info)

    def check(self) -> Counts:
        """Read everything, row group by row group, and check and count it anew.

        Raises:
            DataError: An id is repeated or a value is out of range, or counts differ from
                ``dataset.json``.
        """
        census = Census()
        for name in TABLES:
            for table in self._stream(name, None, BATCH_ROWS):
                census.add(name, conform(name, table))
        counts = census.close()
        if counts != self.info.counts:
            raise DataError.at(
                self.path / DATASET_JSON, f"counts differ from the tables': {counts}"
            )
        return counts

    @cached_property
    def news(self) -> pd.DataFrame:
        """All news."""
        frame = self._frame("news")
        return TABLES["news"].empty_table().to_pandas() if frame is None else frame

    @cached_property
    def impressions(self) -> pd.DataFrame:
        """All impressions, the rows of a slate adjacent; empty where there are only ratings."""
        frame = self._frame("impressions")
        return TABLES["impressions"].empty_table().to_pandas() if frame is None else frame

    @cached_property
    def histories(self) -> pd.DataFrame | None:
        """What readers had clicked at a time, newest last; None where impressions tell it all."""
        return self._frame("histories")

    @cached_property
    def attributes(self) -> pd.DataFrame | None:
        """Sensitive attributes, missing where unknown."""
        return self._frame("attributes")

    @cached_property
    def ratings(self) -> pd.DataFrame | None:
        """Ratings that were not given in slates."""
        return self._frame("ratings")

    def iter_impressions(
        self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.Table]:
        """Stream impressions in tables of whole slates, ids as codes into their distinct values.

        Args:
            columns: Which columns; all by default.
            batch_rows: Rows of a table, more or less a slate.
        """
        return self._stream("impressions", columns, batch_rows)

    def _frame(self, name: str) -> pd.DataFrame | None:
        path = self.path / f"{name}.parquet"
        if not path.is_file():
            return None
        with reading(path):
            return pq.read_table(path).to_pandas()

    def _stream(
        self, name: str, columns: Sequence[str] | None, batch_rows: int
    ) -> Iterator[pa.Table]:
        path = self.path / f"{name}.parquet"
        if not path.is_file():
            return
        wanted = None if columns is None else list(dict.fromkeys([*columns, "slate_id"]))
        with reading(path), pq.ParquetFile(path, read_dictionary=ENCODED_COLUMNS.get(name)) as file:
            batches = file.iter_batches(batch_rows, columns=wanted)
            tables = (pa.Table.from_batches([batch]) for batch in batches)
            for table in whole_slates(tables) if name == "impressions" else tables:
                yield table if columns is None else table.select(list(columns))


def whole_slates(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Move the last slate of each table, which may go on, to the head of the next."""
    held: pa.Table | None = None
    for table in (table for table in tables if table.num_rows):
        table = table if held is None else pa.concat_tables([held, table])
        slates = table["slate_id"].to_numpy()
        others = np.flatnonzero(slates != slates[-1])
        start = int(others[-1]) + 1 if len(others) else 0
        if start:
            yield table.slice(0, start)
        held = table.slice(start)
    if held is not None:
        yield held


def describe(
    folder: Path,
    source: str,
    counts: Counts,
    time_range: tuple[datetime, datetime] | None,
    dropped: dict[str, int],
) -> DatasetInfo:
    """Describe the files that lie in ``folder``."""
    first, last = time_range or (None, None)
    attributes = folder / "attributes.parquet"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return DatasetInfo(
        source=source,
        first_time=first,
        last_time=last,
        counts=counts,
        attributes=pq.read_schema(attributes).names[1:] if attributes.is_file() else [],
        dropped=dropped,
        sha256={path.name: sha256(path) for path in files},
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("recsys", "pyarrow", "pandas", "numpy")},
        },
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_info(path: Path) -> DatasetInfo:
    try:
        return DatasetInfo.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError.at(path, f"{error.strerror}; expected a dataset folder") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError.at(path, f"{key}: {first['msg']}") from None


def _check_columns(folder: Path, name: str, rows: int) -> None:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        if rows:
            raise DataError.at(path, f"the file is missing; expected {rows} rows")
        return
    with reading(path):
        file = pq.read_metadata(path)
    found = file.schema.to_arrow_schema()
    wanted = canonical(name, found)
    if not found.equals(wanted):
        raise DataError.at(path, f"expected columns {_words(wanted)}; found {_words(found)}")
    if file.num_rows != rows:
        raise DataError.at(path, f"expected {rows} rows as in dataset.json, found {file.num_rows}")


def _words(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
