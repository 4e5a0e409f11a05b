"""Which news a query may show: candidates that fulfil its condition and are not hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int32

from recsys.ranker.bundle import Catalogue
from recsys.ranker.query import NO_ROWS, Condition, Query, Rows

Mask = Bool[np.ndarray, " catalogue"]

_FEW = 16
"""A pool under one 16th of the catalogue is gathered; scoring the whole and masking costs more."""


@dataclass(frozen=True)
class Pool:
    """The eligible rows: named one by one when they are few, else what is left of the whole."""

    catalogue_size: int
    size: int
    """How many rows are eligible."""
    rows: Rows | None = None
    """Ascending, each once; None: the pool is large."""
    allowed: Mask | None = None
    """Of a large pool: eligible rows; None: all but ``hidden``."""
    hidden: Rows = field(default_factory=NO_ROWS.copy)
    """Of a large pool without ``allowed``: ascending, each once."""

    def members(self) -> Rows:
        """List all eligible rows, ascending."""
        if self.rows is not None:
            return self.rows
        if self.allowed is not None:
            return np.flatnonzero(self.allowed)
        return np.delete(np.arange(self.catalogue_size), self.hidden)


class Pools:
    """Builds pools over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._size = len(catalogue.ids)
        self._published_at = catalogue.published_at
        self._categories = _Labels(catalogue.categories)
        self._providers = _Labels(catalogue.providers)

    def build(self, queries: Sequence[Query]) -> list[Pool]:
        """Build one pool a query; a condition that several queries share is looked up once."""
        masks = {
            condition: self._fulfilling(condition)
            for condition in {query.condition for query in queries}
            if condition is not None
        }
        return [
            self._build(query, None if query.condition is None else masks[query.condition])
            for query in queries
        ]

    def _build(self, query: Query, mask: Mask | None) -> Pool:
        if query.rows is None and mask is None:
            hidden = _distinct(query.hidden)
            return Pool(self._size, self._size - len(hidden), hidden=hidden)
        eligible = np.ones(self._size, bool) if mask is None else mask.copy()
        eligible[query.hidden] = False
        if query.rows is None:
            return self._few_or_many(np.flatnonzero(eligible))
        rows = _distinct(query.rows)
        return self._few_or_many(rows[eligible[rows]])

    def _few_or_many(self, rows: Rows) -> Pool:
        if len(rows) * _FEW <= self._size:
            return Pool(self._size, len(rows), rows=rows)
        allowed = np.zeros(self._size, bool)
        allowed[rows] = True
        return Pool(self._size, len(rows), allowed=allowed)

    def _fulfilling(self, condition: Condition) -> Mask:
        mask = np.ones(self._size, bool)
        if condition.categories:
            mask &= self._categories.among(condition.categories)
        if condition.providers:
            mask &= self._providers.among(condition.providers)
        if condition.published_after is not None:
            known = self._published_at != 0
            mask &= known & (self._published_at >= condition.published_after)
        return mask


def _distinct(rows: Rows) -> Rows:
    """Ascending, each once; several times faster than np.unique on a thousand rows."""
    rows = np.sort(rows)
    is_first = np.ones(len(rows), bool)
    np.not_equal(rows[1:], rows[:-1], out=is_first[1:])
    return rows[is_first]


class _Labels:
    """A column of strings as codes."""

    def __init__(self, column: Sequence[str]) -> None:
        self._code_of = {label: code for code, label in enumerate(dict.fromkeys(column))}
        codes = (self._code_of[label] for label in column)
        self._codes: Int32[np.ndarray, " catalogue"] = np.fromiter(codes, np.int32, len(column))

    def among(self, labels: frozenset[str]) -> Mask:
        wanted = np.zeros(len(self._code_of), bool)
        wanted[[self._code_of[label] for label in labels if label in self._code_of]] = True
        return wanted[self._codes]
