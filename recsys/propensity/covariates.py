"""Covariates of readers and news from canonical frames; what is missing is stood in for, counted.

Text columns become indicators, one of them for "not known", so that a missing value is a value;
embeddings that are missing become the mean embedding, with an indicator beside it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32

from recsys.errors import DataError
from recsys.propensity.kernels import Covariates

MAX_LEVELS = 50
"""Levels of a text column that get an indicator; the rarer ones share one."""
NEWS_COLUMNS = ("category", "subcategory", "provider")


@dataclass(frozen=True)
class Described:
    """Covariates with the names of their columns and what had to be stood in for."""

    covariates: Covariates
    reader_names: list[str]
    news_names: list[str]
    filled: dict[str, int]
    """Column to the number of readers or news that lack it; only those above 0."""


@dataclass(frozen=True)
class Columns:
    """What is known of one side, a row each, with what had to be stood in for."""

    table: Float32[np.ndarray, "rows columns"]
    names: list[str]
    filled: dict[str, int]
    """Column to the number of rows that lack it; only those above 0."""


def describe(
    readers: pd.Index, news: pd.Index, attributes: pd.DataFrame | None, catalogue: pd.DataFrame
) -> Described:
    """Look up what is known of ``readers`` and ``news``, in this order.

    Args:
        readers: Reader ids.
        news: News ids.
        attributes: ``user_id`` and text columns; None where nothing is known.
        catalogue: The dataset's news.

    Raises:
        DataError: Nothing is known that tells readers, or news, apart.
    """
    left, right = describe_readers(readers, attributes), describe_news(news, catalogue)
    for what, side in (("readers", left), ("news", right)):
        if not side.names:
            raise DataError(
                f"covariates: nothing is known that tells {what} apart (attributes; category, "
                "subcategory, provider, embedding); expected some, or covariates=factors"
            )
    covariates = Covariates(left.table, right.table)
    return Described(covariates, left.names, right.names, left.filled | right.filled)


def describe_readers(readers: pd.Index, attributes: pd.DataFrame | None) -> Columns:
    """Look up the attributes of ``readers``, in this order; no column if none tells them apart."""
    known = pd.DataFrame({"user_id": []}) if attributes is None else attributes
    about = known.set_index("user_id").reindex(readers)
    filled: dict[str, int] = {}
    names, table = _indicators(about, list(about.columns), filled)
    return Columns(table, names, filled)


def describe_news(news: pd.Index, catalogue: pd.DataFrame) -> Columns:
    """Look up what ``news`` are about, in this order; no column if nothing tells them apart."""
    about = catalogue.set_index("news_id").reindex(news)
    filled: dict[str, int] = {}
    names, table = _indicators(about, list(NEWS_COLUMNS), filled)
    if "embedding" in about and about["embedding"].notna().any():
        more, embedded = _embedded(about["embedding"], filled)
        names, table = names + more, np.hstack([table, embedded])
    return Columns(table, names, filled)


def _indicators(
    frame: pd.DataFrame, columns: list[str], filled: dict[str, int]
) -> tuple[list[str], Float32[np.ndarray, "rows indicators"]]:
    """One column for each level that some but not all rows have."""
    names: list[str] = []
    parts = [np.empty((len(frame), 0), np.float32)]
    for column in columns:
        values = frame[column]
        if values.isna().all():
            continue
        if values.isna().any():
            filled[column] = int(values.isna().sum())
        common = values.value_counts().index[:MAX_LEVELS]
        levels = values.where(values.isin(common) | values.isna(), "other").fillna("not known")
        table = pd.get_dummies(levels.astype(str), dtype=np.float32)
        table = table.loc[:, table.nunique() > 1]
        names += [f"{column}: {level}" for level in table.columns]
        parts.append(table.to_numpy())
    return names, np.hstack(parts)


def _embedded(
    column: pd.Series, filled: dict[str, int]
) -> tuple[list[str], Float32[np.ndarray, "rows dim"]]:
    missing = column.isna().to_numpy()
    known = np.array(column[~missing].tolist(), np.float32)
    table = np.broadcast_to(known.mean(axis=0), (len(column), known.shape[1])).copy()
    table[~missing] = known
    names = [f"embedding {number}" for number in range(table.shape[1])]
    if not missing.any():
        return names, table
    filled["embedding"] = int(missing.sum())
    return [*names, "embedding: not known"], np.hstack([table, missing[:, None].astype(np.float32)])
