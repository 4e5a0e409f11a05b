"""Anyone's click log as a plain table: one row a document shown, columns named by the user.

CSV (any separator that a comma or tab is) or Parquet, read part by part. A document is a pair of
query and document id; its features are those of its first row. A session is what was shown for one
query in one value of the session column, each position once; without such a column, it is a run of
rows of one query whose positions rise.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int, UInt64

from recsys.config import Config
from recsys.data import plain_table
from recsys.data.queries import ClickLog, Collection, Queries
from recsys.errors import DataError


class ClickColumns(Config):
    """Which column of the table is what."""

    query: str = "query"
    document: str = "document"
    position: str = "position"
    """Whole, from 1; rows of a session need not be in order."""
    click: str = "click"
    """0 or 1; counts above 1 are a click."""
    session: str | None = None
    features: str = "feature_"
    """Names that start so are the features, in the table's order; in Parquet also the name of
    one list column."""
    label: str | None = None
    """Graded relevance of the document, where it is known: tests are made on it."""
    propensity: str | None = None
    """Probability that the position was examined, where the log knows it."""

    @property
    def ids(self) -> list[str]:
        """The columns that name a query, document or session."""
        return [self.query, self.document, *([self.session] if self.session else [])]

    @property
    def named(self) -> list[str]:
        """Every column that must be there, besides features."""
        optional = [name for name in (self.label, self.propensity) if name]
        return [*self.ids, self.position, self.click, *optional]


def load(path: Path, columns: ClickColumns) -> Collection:
    """Read a click log.

    Args:
        path: ``.csv``, ``.tsv`` (each optionally ``.gz``) or ``.parquet``.
        columns: Which column is what.

    Raises:
        DataError: The file cannot be read, a column is missing, or a value is not as described.
    """
    parts = []
    for frame in plain_table.stream(path, columns.named, texts=columns.ids):
        parts.append((_numbers(path, frame, columns), _features(path, frame, columns)))
    table = pd.concat([rows for rows, _ in parts])
    if columns.session:
        _demand_places(path, table, columns)
    table = table.reset_index(drop=True)
    return _collection(table, np.concatenate([features for _, features in parts]), columns)


def _numbers(path: Path, frame: pd.DataFrame, columns: ClickColumns) -> pd.DataFrame:
    """Check one part and keep what is needed of it, in narrow types."""
    query, document = (
        plain_table.names(path, frame, name) for name in (columns.query, columns.document)
    )
    kept = {
        "query": query.to_numpy(dtype=object),
        "document": _hashed(query + "\t" + document),
        "position": plain_table.positions(path, frame, columns.position),
        "click": plain_table.numbers(path, frame, columns.click),
    }
    if columns.session:
        kept["session"] = _hashed(plain_table.names(path, frame, columns.session))
    if columns.label:
        kept["label"] = plain_table.numbers(path, frame, columns.label, low=0.0)
    if columns.propensity:
        kept["propensity"] = plain_table.numbers(
            path, frame, columns.propensity, low=1e-30, high=1.0, expected="a probability in (0, 1]"
        )
    return pd.DataFrame(kept, frame.index)


def _demand_places(path: Path, table: pd.DataFrame, columns: ClickColumns) -> None:
    """Refuse a session with two documents at one position: a click belongs to one of them."""
    repeated = np.flatnonzero(table.duplicated(["session", "query", "position"]))
    if len(repeated):
        position, line = table["position"].iloc[repeated[0]], int(table.index[repeated[0]])
        message = f"{columns.position}: expected each position of a query once in a session"
        raise DataError.at(path, f"{message}, found {position} again", line=line)


def _hashed(texts: pd.Series) -> UInt64[np.ndarray, " rows"]:
    return pd.util.hash_array(texts.to_numpy(dtype=object))


def _features(
    path: Path, frame: pd.DataFrame, columns: ClickColumns
) -> Float32[np.ndarray, "rows dims"]:
    table = _feature_table(path, frame, columns)
    return np.column_stack(
        [plain_table.numbers(path, table, name).astype(np.float32) for name in table.columns]
    )


def _feature_table(path: Path, frame: pd.DataFrame, columns: ClickColumns) -> pd.DataFrame:
    """One column a feature: those that are named so, or what the lists of the one column hold."""
    if columns.features in frame.columns and frame[columns.features].dtype == object:
        try:
            lists = np.stack(frame[columns.features].to_list())
        except (TypeError, ValueError):
            raise DataError.at(
                path, f"{columns.features}: expected lists of numbers of one length"
            ) from None
        return pd.DataFrame(lists, frame.index).rename(columns=f"{columns.features}[{{}}]".format)
    names = [name for name in frame.columns if str(name).startswith(columns.features)]
    if not names:
        raise DataError.at(path, f"no column starts with {columns.features!r} (features)")
    return frame[names]


def _collection(
    table: pd.DataFrame, features: Float32[np.ndarray, "rows dims"], columns: ClickColumns
) -> Collection:
    """Documents once each, in order of their query; sessions as rows that point to them."""
    query, names = pd.factorize(table["query"])
    first = table.drop_duplicates("document").index.to_numpy()
    first = first[np.argsort(query[first], kind="stable")]
    place = pd.Series(np.arange(len(first)), index=table["document"].to_numpy()[first])
    sizes = np.bincount(query[first], minlength=len(names))
    labels = table["label"].to_numpy(np.float32)[first] if columns.label else None
    train = Queries(
        [str(name) for name in names],
        np.concatenate([[0], np.cumsum(sizes)]),
        features[first],
        labels,
    )
    session = _sessions(table, query)
    order = np.lexsort((table["position"], session))
    rows = table.iloc[order]
    starts = np.flatnonzero(np.diff(session[order], prepend=-1))
    log = ClickLog(
        np.append(starts, len(rows)),
        place.loc[rows["document"]].to_numpy(),
        rows["position"].to_numpy(np.int64),
        rows["click"].to_numpy() > 0,
        rows["propensity"].to_numpy(np.float32) if columns.propensity else None,
    )
    return Collection({"train": train}, log)


def _sessions(table: pd.DataFrame, query: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    if "session" in table:
        return table.groupby(["session", query], sort=False).ngroup().to_numpy()
    position = table["position"].to_numpy()
    opens: Bool[np.ndarray, " rows"] = np.ones(len(table), dtype=bool)
    opens[1:] = (query[1:] != query[:-1]) | (position[1:] <= position[:-1])
    return np.cumsum(opens) - 1
