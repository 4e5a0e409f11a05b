"""Whatever a user points `recsys evaluate-ultr` at, as collections to learn to rank on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data import queries, text_match
from recsys.data.queries import ClickLog, Collection, Queries
from recsys.data.sources import baidu_ultr, baidu_vectors, click_table, letor
from recsys.data.sources.click_table import ClickColumns
from recsys.errors import DataError

EXPECTED = (
    "expected a folder with queries.parquet (recsys simulate --kind ltr), with Fold*/train.txt or "
    "S1.txt..S5.txt or train.txt and test.txt (LETOR), with part-*.gz (Baidu-ULTR), with "
    "clicks.parquet of vectors, or a table of clicks (.csv, .tsv, .parquet)"
)


def collections(
    path: Path, columns: ClickColumns, max_sessions: int | None
) -> Iterator[tuple[str, Collection]]:
    """Yield each part of the data with its name: the folds of LETOR data, else one.

    Args:
        path: A folder or file.
        columns: Columns of a click table.
        max_sessions: Logged sessions to take at most, the first; None: all.

    Raises:
        DataError: Nothing known is there, or it breaks its format.
    """
    if not path.exists():
        raise DataError.at(path, f"is not there; {EXPECTED}")
    if path.is_file():
        yield path.stem, _limited(click_table.load(path, columns), max_sessions)
    elif (path / queries.QUERIES_FILE).exists():
        yield path.name, _limited(queries.read(path), max_sessions)
    elif names := letor.folds(path):
        for fold in names:
            yield fold, letor.load_fold(path, fold)
    elif clicks := _one(path, "clicks.parquet", "clicks.feather"):
        yield (
            path.name,
            baidu_vectors.load(clicks, _one(path, "test.parquet", "test.feather"), max_sessions),
        )
    elif parts := sorted(path.glob("part-*.gz")):
        annotated = _one(path, "annotations.txt", "nips_annotation_data_0522.txt")
        yield path.name, _baidu_text(parts, annotated, max_sessions)
    else:
        raise DataError.at(path, EXPECTED)


def _limited(collection: Collection, max_sessions: int | None) -> Collection:
    if collection.log is None or max_sessions is None:
        return collection
    return replace(collection, log=collection.log.first(max_sessions))


def _one(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)


def _baidu_text(parts: list[Path], annotated: Path | None, max_sessions: int | None) -> Collection:
    """Sessions of token ids, with features of how query and text meet."""
    features, positions, clicks, sessions = [], [], [], []
    for table in _blocks(parts, max_sessions):
        features.append(_matched(table))
        positions.append(table["position"].to_numpy().astype(np.int64))
        clicks.append(table["click"].to_numpy() > 0)
        sessions.append(table["session"].to_numpy())
    if not sessions:
        raise DataError.at(parts[0].parent, "expected logged sessions, found none")
    owner = np.concatenate(sessions)
    offsets = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))
    log = ClickLog(
        offsets, np.arange(len(owner)), np.concatenate(positions), np.concatenate(clicks)
    )
    ids = [str(session) for session in owner[offsets[:-1]]]
    splits = {"train": Queries(ids, offsets, np.concatenate(features))}
    if annotated is not None:
        splits["test"] = _annotated(baidu_ultr.annotations(annotated))
    return Collection(splits, log)


def _blocks(parts: list[Path], max_sessions: int | None) -> Iterator[pa.Table]:
    """Stream all files as one, sessions counted through."""
    before = 0
    for path in parts:
        last = -1
        for table in baidu_ultr.sessions(path):
            last = table["session"][-1].as_py()
            table = table.set_column(0, "session", pc.add(table["session"], before))
            if max_sessions is not None and before + last >= max_sessions:
                yield table.filter(pc.less(table["session"], max_sessions))
                return
            yield table
        before += last + 1


def _annotated(table: pa.Table) -> Queries:
    """Annotated queries, told apart by their text: some share an id."""
    keys = np.array([str(text) for text in table["query"].to_pylist()])
    names, owner = np.unique(keys, return_inverse=True)
    order = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Queries(
        list(names),
        offsets,
        _matched(table)[order],
        table["label"].to_numpy()[order],
        table["bucket"].to_numpy()[order][offsets[:-1]].astype(np.int64),
    )


def _matched(table: pa.Table) -> np.ndarray:
    query, title, abstract = (
        table[name].combine_chunks() for name in ("query", "title", "abstract")
    )
    return np.concatenate(
        [text_match.match(query, title), text_match.match(query, abstract)], axis=1
    )
