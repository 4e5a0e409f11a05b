"""Writes a dataset table by table, in bounded memory, and moves it into place when it is whole."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.bad_rows import BadRows
from recsys.data.census import Census
from recsys.data.dataset import DATASET_JSON, REJECTED_JSON, describe
from recsys.data.schema import ENCODED_COLUMNS, conform
from recsys.folders import made

MAX_ROW_GROUP = 1 << 20
COMPRESSION = "zstd"


class DatasetWriter:
    """A dataset in the making: ``with DatasetWriter(out, "mind") as writer: writer.news(table)``.

    Every method may be called many times. On a clean exit the whole is checked, described in
    ``dataset.json`` and renamed to ``out``, or to what ``out`` is a link to; after an error nothing
    is left.

    Args:
        out: The folder to make.
        source: Where the data comes from, as ``dataset.json`` shall say.
        replace: Take the place of a dataset that is already there.
        bad_rows: Raw rows that were left out, to be reported beside the tables.

    Raises:
        DataError: ``out`` is there already (at the start or at the end), a table breaks its
            schema, or the whole does not fit together.
    """

    def __init__(
        self, out: Path, source: str, *, replace: bool = False, bad_rows: BadRows | None = None
    ) -> None:
        self._place = made(out, "dataset", mark=DATASET_JSON, replace=replace)
        self._stack = ExitStack()
        self.folder: Path
        """The temporary folder that becomes ``out``: other files may be put beside the tables."""
        self._source = source
        self._bad_rows = bad_rows or BadRows(skip=False)
        self._census = Census()
        self._files: dict[str, pq.ParquetWriter] = {}

    def news(self, table: pa.Table) -> None:
        """Add news."""
        self.add("news", table)

    def impressions(self, table: pa.Table) -> None:
        """Add whole slates: the rows of a slate are adjacent and in one table."""
        self.add("impressions", table)

    def histories(self, table: pa.Table) -> None:
        """Add what readers had clicked at a time, newest last."""
        self.add("histories", table)

    def attributes(self, table: pa.Table) -> None:
        """Add readers' sensitive attributes: ``user_id`` and one string column each."""
        self.add("attributes", table)

    def ratings(self, table: pa.Table) -> None:
        """Add ratings that were not given in slates."""
        self.add("ratings", table)

    def add(self, name: str, table: pa.Table) -> None:
        """Check and write rows of the table called ``name``.

        Raises:
            DataError: The rows break the schema or the contract of their table.
        """
        if not table.num_rows:
            return
        table = conform(name, table)
        self._census.add(name, table)
        self._file(name, table.schema).write_table(table, row_group_size=MAX_ROW_GROUP)

    def __enter__(self) -> Self:
        self.folder = self._stack.enter_context(self._place)
        self._stack.push(self._close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def _close(self, kind: type[BaseException] | None, *_: object) -> None:
        for file in self._files.values():
            file.close()
        if kind is None:
            self._describe()

    def _file(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        if name not in self._files:
            self._files[name] = pq.ParquetWriter(
                self.folder / f"{name}.parquet",
                schema,
                compression=COMPRESSION,
                # Other columns of impressions are numbers in runs: plain and compressed is faster
                # than a dictionary, and as small. Nobody filters by statistics.
                use_dictionary=list(ENCODED_COLUMNS.get(name, ())) or True,
                write_statistics=False,
                store_schema=name == "news",  # keeps the length of embeddings; others read as plain
            )
        return self._files[name]

    def _describe(self) -> None:
        counts = self._census.close()
        if self._bad_rows.counts():
            self._bad_rows.write(self.folder / REJECTED_JSON)
        info = describe(
            self.folder, self._source, counts, self._census.time_range, self._bad_rows.counts()
        )
        text = info.model_dump_json(indent=2)
        (self.folder / DATASET_JSON).write_text(text + "\n", encoding="utf-8")
