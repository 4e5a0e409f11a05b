"""Learning-to-rank data: queries with their documents, and logged sessions; flat, never padded.

On disk a collection is a folder:

* ``queries.parquet``   one row a document: ``split`` (train, validation, test), ``query_id`` str,
  ``features`` fixed list<float32>, ``label`` float32? (graded relevance), ``bucket`` int16?
  (frequency bucket of the query). Documents of one query are adjacent.
* ``sessions.parquet``  optional, one row a document shown: ``session_id`` int64, ``document`` int64
  (row among the training documents), ``position`` int16 (from 1), ``clicked`` bool,
  ``propensity`` float32? (probability that the position is examined). Rows of a session are
  adjacent and in order of position.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32, Int

from recsys.data.parquet import reading
from recsys.errors import DataError
from recsys.folders import made

QUERIES_FILE = "queries.parquet"
SESSIONS_FILE = "sessions.parquet"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Queries:
    """Documents of many queries: query ``i`` owns rows ``offsets[i]:offsets[i + 1]``."""

    ids: list[str]
    offsets: Int[np.ndarray, " queries_plus_one"]
    features: Float32[np.ndarray, "documents dims"]
    labels: Float32[np.ndarray, " documents"] | None = None
    """Graded relevance, at least 0."""
    buckets: Int[np.ndarray, " queries"] | None = None
    """How frequent each query is, 0 the most frequent."""

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.ids)

    @property
    def grades(self) -> Float32[np.ndarray, " documents"]:
        """Return the labels, where they are needed.

        Raises:
            DataError: There are none.
        """
        if self.labels is None:
            raise DataError("expected queries with relevance labels, found none")
        return self.labels

    def select(self, chosen: Int[np.ndarray, " chosen"]) -> "Queries":
        """Return the chosen queries, in that order."""
        sizes = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], sizes)
        return Queries(
            [self.ids[query] for query in chosen],
            offsets,
            self.features[rows],
            None if self.labels is None else self.labels[rows],
            None if self.buckets is None else self.buckets[chosen],
        )


@dataclass(frozen=True)
class ClickLog:
    """What was shown and clicked: session ``i`` owns rows ``offsets[i]:offsets[i + 1]``."""

    offsets: Int[np.ndarray, " sessions_plus_one"]
    documents: Int[np.ndarray, " shown"]
    """Rows among the training documents."""
    positions: Int[np.ndarray, " shown"]
    """From 1, rising within a session."""
    clicks: Bool[np.ndarray, " shown"]
    propensities: Float32[np.ndarray, " shown"] | None = None
    """Probability that the position was examined, in (0, 1], where the log knows it."""

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self.offsets) - 1

    def first(self, sessions: int) -> "ClickLog":
        """Return the first sessions, as many as there are at most."""
        offsets = self.offsets[: sessions + 1]
        rows = slice(offsets[-1])
        return ClickLog(
            offsets,
            self.documents[rows],
            self.positions[rows],
            self.clicks[rows],
            None if self.propensities is None else self.propensities[rows],
        )


@dataclass(frozen=True)
class Collection:
    """Queries by split, and sessions logged on the training queries if there are any."""

    splits: dict[str, Queries]
    log: ClickLog | None = None


def concatenate(parts: Iterable[Queries]) -> Queries:
    """Join parts of one collection, such as the folds to train on.

    Raises:
        DataError: The parts differ in their number of features, or there is none.
    """
    parts = list(parts)
    widths = {part.features.shape[1] for part in parts}
    if len(widths) != 1:
        raise DataError(f"expected parts with one number of features, found {sorted(widths)}")
    labels = [part.labels for part in parts if part.labels is not None]
    buckets = [part.buckets for part in parts if part.buckets is not None]
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    return Queries(
        [name for part in parts for name in part.ids],
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([part.features for part in parts]),
        np.concatenate(labels) if len(labels) == len(parts) else None,
        np.concatenate(buckets) if len(buckets) == len(parts) else None,
    )


def write(collection: Collection, folder: Path, *, replace: bool = False) -> None:
    """Write a collection aside and rename it into place.

    Args:
        collection: What to write.
        folder: Where to.
        replace: Take the place of a collection that is already there.

    Raises:
        DataError: ``folder`` is there already, or cannot be written.
    """
    with made(folder, "collection", mark=QUERIES_FILE, replace=replace) as partial:
        tables = [_table(name, split) for name, split in collection.splits.items()]
        pq.write_table(pa.concat_tables(tables), partial / QUERIES_FILE, compression="zstd")
        if collection.log is not None:
            sessions = _session_table(collection.log)
            pq.write_table(sessions, partial / SESSIONS_FILE, compression="zstd")


def read(folder: Path) -> Collection:
    """Read what :func:`write` wrote.

    Raises:
        DataError: A file or column is missing, a split is unknown, or a session names a document
            that is not there.
    """
    table = _open(folder / QUERIES_FILE, {"split", "query_id", "features"})
    names = np.asarray(table["split"].to_pandas())
    unknown = sorted(set(names) - set(SPLITS))
    if unknown:
        raise DataError.at(
            folder / QUERIES_FILE, f"split: expected {', '.join(SPLITS)}, found {unknown[0]!r}"
        )
    splits = {
        name: _queries(table.filter(pa.array(names == name))) for name in SPLITS if name in names
    }
    path = folder / SESSIONS_FILE
    return Collection(splits, _log(path, splits["train"]) if path.exists() else None)


def _table(name: str, queries: Queries) -> pa.Table:
    documents, dims = queries.features.shape
    owner = np.repeat(np.arange(len(queries)), np.diff(queries.offsets))
    ids = pa.array(queries.ids, pa.string()).take(pa.array(owner))
    values = pa.array(queries.features.ravel())
    nothing = pa.nulls(documents, pa.float32())
    bucket = pa.nulls(documents, pa.int16())
    if queries.buckets is not None:
        bucket = pa.array(queries.buckets[owner].astype(np.int16))
    return pa.table(
        {
            "split": pa.array([name] * documents, pa.string()),
            "query_id": ids,
            "features": pa.FixedSizeListArray.from_arrays(values, dims),
            "label": nothing if queries.labels is None else pa.array(queries.labels),
            "bucket": bucket,
        }
    )


def _queries(table: pa.Table) -> Queries:
    ids = table["query_id"].combine_chunks().to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    features = table["features"].combine_chunks()
    label, bucket = (_optional(table, name) for name in ("label", "bucket"))
    return Queries(
        [str(name) for name in ids[starts]],
        np.append(starts, len(ids)),
        features.flatten().to_numpy(zero_copy_only=False).reshape(len(ids), -1),
        None if label is None else label.astype(np.float32),
        None if bucket is None else bucket[starts].astype(np.int64),
    )


def _session_table(log: ClickLog) -> pa.Table:
    session = np.repeat(np.arange(len(log)), np.diff(log.offsets))
    columns = {
        "session_id": pa.array(session),
        "document": pa.array(log.documents.astype(np.int64)),
        "position": pa.array(log.positions.astype(np.int16)),
        "clicked": pa.array(log.clicks),
    }
    if log.propensities is not None:
        columns["propensity"] = pa.array(log.propensities.astype(np.float32))
    return pa.table(columns)


def _log(path: Path, train: Queries) -> ClickLog:
    table = _open(path, {"session_id", "document", "position", "clicked"})
    session = table["session_id"].to_numpy()
    documents = table["document"].to_numpy()
    outside = np.flatnonzero((documents < 0) | (documents >= len(train.features)))
    if len(outside):
        raise DataError.at(
            path,
            f"document: expected a row below {len(train.features)}, found {documents[outside[0]]}",
            line=int(outside[0]) + 1,
        )
    starts = np.flatnonzero(np.concatenate([[True], session[1:] != session[:-1]]))
    propensity = _optional(table, "propensity")
    return ClickLog(
        np.append(starts, len(session)),
        documents,
        table["position"].to_numpy().astype(np.int64),
        table["clicked"].to_numpy(),
        None if propensity is None else propensity.astype(np.float32),
    )


def _optional(table: pa.Table, name: str) -> np.ndarray | None:
    if name not in table.column_names or table[name].null_count == table.num_rows:
        return None
    return table[name].to_numpy()


def _open(path: Path, wanted: set[str]) -> pa.Table:
    with reading(path):
        table = pq.read_table(path)
    missing = wanted - set(table.column_names)
    if missing:
        raise DataError.at(path, f"column {sorted(missing)[0]!r} is missing")
    return table
