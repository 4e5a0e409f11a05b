"""Baidu-ULTR with precomputed vectors, as published for BERT cross-encoders.

One row a session in Parquet or Feather: ``query_document_embedding`` is a list of vectors, one a
document; click files have lists ``position`` and ``click``, annotation files lists ``label`` and
one ``frequency_bucket``. Layout: https://github.com/philipphager/baidu-bert-model
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.queries import ClickLog, Collection, Queries
from recsys.errors import DataError

VECTORS = "query_document_embedding"
BATCH_ROWS = 1024


def load(
    clicks: Path, annotated: Path | None = None, max_sessions: int | None = None
) -> Collection:
    """Read clicks to train on and, if there are any, annotated queries to test on.

    Args:
        clicks: Sessions with clicks.
        annotated: Queries with labels.
        max_sessions: Sessions to read at most; None: all.

    Raises:
        DataError: A file cannot be read or misses a column.
    """
    log, train = _log(clicks, max_sessions)
    splits = {"train": train}
    if annotated is not None:
        splits["test"] = _annotated(annotated)
    return Collection(splits, log)


def stream(path: Path, *needed: str) -> Iterator[pa.RecordBatch]:
    """Read batches of sessions, in memory bounded by the file's batches.

    Args:
        path: ``.parquet``, or else Feather.
        needed: Columns that must be there besides the vectors.

    Raises:
        DataError: The file cannot be read, misses a column or has no rows.
    """
    empty = True
    try:
        for batch in _batches(path):
            missing = {VECTORS, *needed} - set(batch.schema.names)
            if missing:
                raise DataError.at(path, f"column {sorted(missing)[0]!r} is missing")
            empty = False
            yield batch
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError.at(path, f"expected a Parquet or Feather file: {error}") from None
    if empty:
        raise DataError.at(path, "has no rows")


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        yield from pq.ParquetFile(path).iter_batches(BATCH_ROWS)
        return
    with pa.ipc.open_file(path) as reader:
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))


def _log(path: Path, limit: int | None) -> tuple[ClickLog, Queries]:
    features, positions, clicks, sizes = [], [], [], []
    read = 0
    for batch in stream(path, "position", "click"):
        batch = batch.slice(0, None if limit is None else max(limit - read, 0))
        read += len(batch)
        features.append(_matrix(batch))
        positions.append(_flat(path, batch, "position"))
        clicks.append(_flat(path, batch, "click"))
        sizes.append(_sizes(batch))
        if read == limit:
            break
    places = np.concatenate(positions).astype(np.int64)
    if len(places) and places.min() < 1:
        raise DataError.at(path, f"position: expected numbers from 1, found {places.min()}")
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    shown = int(offsets[-1])
    ids = [str(session) for session in range(read)]
    log = ClickLog(
        offsets,
        np.arange(shown),
        places,
        np.concatenate(clicks) > 0,
    )
    return log, Queries(ids, offsets, np.concatenate(features))


def _annotated(path: Path) -> Queries:
    batches = list(stream(path, "label"))
    sizes = np.concatenate([_sizes(batch) for batch in batches])
    bucket = None
    if "frequency_bucket" in batches[0].schema.names:
        bucket = np.concatenate([batch["frequency_bucket"].to_numpy() for batch in batches])
    return Queries(
        [str(query) for query in range(len(sizes))],
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([_matrix(batch) for batch in batches]),
        np.concatenate([_flat(path, batch, "label") for batch in batches]).astype(np.float32),
        bucket,
    )


def _sizes(batch: pa.RecordBatch) -> np.ndarray:
    return batch[VECTORS].value_lengths().to_numpy(zero_copy_only=False)


def _flat(path: Path, batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Numbers that stand beside the vectors, one each."""
    values, column = batch[name].flatten(), batch[name].value_lengths()
    if values.null_count or not np.array_equal(column, _sizes(batch)):
        raise DataError.at(path, f"{name}: expected a list with a number for each vector")
    return values.to_numpy(zero_copy_only=False)


def _matrix(batch: pa.RecordBatch) -> np.ndarray:
    vectors = batch[VECTORS].flatten()
    values = vectors.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(vectors), -1).astype(np.float32)
