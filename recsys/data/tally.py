"""What was met so far in a stream, in memory that grows with the distinct values only."""

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64

COMPACT_ROWS = 1 << 20


class Tally:
    """How often each string was met.

    Args:
        compact_rows: How many counts of single columns are held before they are added up.
    """

    def __init__(self, compact_rows: int = COMPACT_ROWS) -> None:
        self._compact_rows = compact_rows
        self._parts: list[pa.Table] = []
        self._pending = 0

    def add(self, column: pa.DictionaryArray) -> None:
        """Count the values of a column without nulls."""
        codes = column.indices.to_numpy(zero_copy_only=False)
        counts = np.bincount(codes, minlength=len(column.dictionary))
        self._parts.append(pa.table({"id": column.dictionary, "count": counts}))
        self._pending += len(counts)
        if self._pending > self._compact_rows:
            self._compact()

    def counts(self) -> pa.Table:
        """Return columns ``id`` and ``count``, one row for each string met."""
        if not self._parts:
            return pa.table({"id": pa.array([], pa.string()), "count": pa.array([], pa.int64())})
        self._compact()
        return self._parts[0]

    def _compact(self) -> None:
        merged = pa.concat_tables(self._parts).group_by("id").aggregate([("count", "sum")])
        merged = merged.rename_columns({"count_sum": "count"})
        self._parts = [merged.filter(pa.compute.greater(merged["count"], 0))]
        self._pending = 0


class Seen:
    """Which integers were met before: 8 bytes each, a few sorted runs, each twice the next."""

    def __init__(self) -> None:
        self._runs: list[Int64[np.ndarray, " keys"]] = []

    def add(self, keys: Int64[np.ndarray, " keys"]) -> Bool[np.ndarray, " keys"]:
        """Remember ``keys`` and say which of them are repeated, here or from an earlier call."""
        distinct, first = np.unique(keys, return_index=True)
        repeated = np.ones(len(keys), dtype=bool)
        repeated[first] = False
        for run in self._runs:
            repeated[first] |= _contains(run, distinct)
        self._push(distinct[~repeated[first]])
        return repeated

    def _push(self, run: Int64[np.ndarray, " keys"]) -> None:
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        self._runs.append(run)


def _contains(run: Int64[np.ndarray, " keys"], keys: Int64[np.ndarray, " distinct"]) -> np.ndarray:
    if not len(run):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(run, keys), len(run) - 1)
    return run[place] == keys
