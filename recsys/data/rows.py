"""Rows of a raw file with their line numbers, and what can be demanded of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from recsys.data.bad_rows import BadRows
from recsys.data.tally import Seen

Column: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Rows:
    """Some rows of a raw file.

    Every method returns rows that are as demanded; the others go to ``bad_rows``, which raises
    DataError unless bad rows are to be skipped.
    """

    path: Path
    table: pa.Table
    lines: Int64[np.ndarray, " rows"]
    """1-based line, or row of a Parquet file."""
    bad_rows: BadRows

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        return self.table[column]

    def __len__(self) -> int:
        return self.table.num_rows

    def demand(self, good: Column | np.ndarray, expected: str, column: str) -> "Rows":
        """Keep the rows that are ``good``; of the others, ``column`` is what was found."""
        keep = _mask(good)
        if keep.all():
            return self
        found = self.table[column].filter(pa.array(~keep)).to_pylist()
        texts = ["nothing" if value is None else str(value) for value in found]
        self.bad_rows.reject(self.path, self.lines[~keep].tolist(), expected, texts)
        return self._kept(keep)

    def leave_out(self, part: Column, why: str) -> "Rows":
        """Keep the rows that are ``part`` of a dataset, and count the others as left out."""
        keep = _mask(part)
        self.bad_rows.leave_out(self.path, int((~keep).sum()), why)
        return self._kept(keep)

    def present(self, *columns: str) -> "Rows":
        """Demand a value in each column."""
        rows = self
        for column in columns:
            rows = rows.demand(rows[column].is_valid(), f"{column}: a value", column)
        return rows

    def integers(self, column: str, least: int, most: int) -> "Rows":
        """Read a text column as integers from ``least`` to ``most``."""
        expected = f"{column}: an integer from {least} to {most}"
        digits = pc.match_substring_regex(self.table[column], r"^-?[0-9]{1,18}$")
        rows = self.demand(digits, expected, column)
        rows = rows.with_column(column, rows.table[column].cast(pa.int64()))
        values = rows.table[column]
        good = pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))
        return rows.demand(good, expected, column)

    def times(self, column: str, pattern: str, example: str) -> "Rows":
        """Read a text column as times in UTC, by the ``strptime`` pattern.

        Arrow takes 19 for the year 19, and February 30 for March 2: what it puts on the first
        three days of a month is written again and compared.
        """
        texts = self.table[column]
        values = pc.strptime(texts, pattern, "s", error_is_null=True)
        good = _mask(pc.greater_equal(pc.year(values), 1000))
        early = np.flatnonzero(_mask(pc.less_equal(pc.day(values), 3)))
        written = pc.strftime(values.take(early), pattern)
        good[early] &= _mask(pc.equal(_bare(written), _bare(texts.take(early))))
        rows = self.demand(good, f"{column}: a time like {example}", column)
        return rows.with_column(column, values.filter(good).cast(pa.timestamp("us", "UTC")))

    def filled(self, column: str) -> "Rows":
        """Demand a value that is not empty."""
        size = pc.fill_null(pc.binary_length(self.table[column]), 0)
        return self.demand(pc.greater(size, 0), f"{column}: a value", column)

    def unique(self, column: str, seen: Seen) -> "Rows":
        """Leave out the rows whose value ``seen`` has met before, here or in earlier rows."""
        return self.demand(~seen.add(_keys(self.table[column])), f"{column}: no duplicate", column)

    def with_column(self, column: str, values: Column) -> "Rows":
        """Replace one column."""
        index = self.table.schema.get_field_index(column)
        return replace(self, table=self.table.set_column(index, column, values))

    def _kept(self, keep: np.ndarray) -> "Rows":
        return replace(self, table=self.table.filter(pa.array(keep)), lines=self.lines[keep])


def _bare(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take zeros in front of numbers and the case of AM and PM out of texts."""
    return pc.utf8_upper(pc.replace_substring_regex(times, r"\b0([0-9])", r"\1"))


def nth(lists: pa.ChunkedArray, n: int) -> pa.ChunkedArray:
    """Return the value at ``n`` of each list, null where the list is shorter."""
    return pc.list_element(pc.list_slice(lists, n, n + 1, return_fixed_size_list=True), 0)


def known(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text with null where it is empty."""
    return pc.if_else(pc.equal(text, ""), None, text)


def _mask(good: Column | np.ndarray) -> np.ndarray:
    return good if isinstance(good, np.ndarray) else np.asarray(pc.fill_null(good, False))


def _keys(column: pa.ChunkedArray) -> np.ndarray:
    """Return integers that stand for the values: text by 64 bits of a hash."""
    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.int64)
    text = column.to_numpy(zero_copy_only=False).astype(object)
    return pd.util.hash_array(text, categorize=False).view(np.int64)
