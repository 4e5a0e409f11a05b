"""Features of how a document's text meets a query: for click logs that carry token ids only."""

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int

NAMES = ("query_length", "text_length", "matched", "coverage", "density", "bigrams", "first_match")
"""Columns of :func:`match`; lengths and counts as :math:`\\log(1 + x)`, shares in [0, 1]."""

_VOCABULARY = 1 << 31


def match(query: pa.ListArray, text: pa.ListArray) -> Float32[np.ndarray, "rows features"]:
    """Lexical features of each row's query and text.

    Args:
        query: Token ids, one list a row.
        text: Token ids, one list a row.

    Returns:
        Columns :data:`NAMES`: lengths, matching tokens of the text, share of the query's tokens
        that occur, share of the text's tokens that match, matching neighbours, and one over the
        place of the first match (0: none).
    """
    rows = len(query)
    asked, asked_row, _ = _flat(query)
    found, found_row, place = _flat(text)
    hit = _occurs(found, found_row, asked, asked_row)
    covered = _occurs(asked, asked_row, found, found_row)
    count = np.bincount(found_row[hit], minlength=rows)
    first = np.zeros(rows)
    np.maximum.at(first, found_row[hit], 1.0 / (1 + place[hit]))
    lengths = [np.bincount(owner, minlength=rows) for owner in (asked_row, found_row)]
    pairs = np.bincount(_neighbours(query, text), minlength=rows)
    columns = [
        np.log1p(lengths[0]),
        np.log1p(lengths[1]),
        np.log1p(count),
        np.bincount(asked_row[covered], minlength=rows) / np.maximum(lengths[0], 1),
        count / np.maximum(lengths[1], 1),
        np.log1p(pairs),
        first,
    ]
    return np.column_stack(columns).astype(np.float32)


def _flat(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token, row and place of every token."""
    sizes = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), sizes)
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    return values, row, np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _occurs(
    tokens: Int[np.ndarray, " tokens"],
    rows: Int[np.ndarray, " tokens"],
    others: Int[np.ndarray, " others"],
    other_rows: Int[np.ndarray, " others"],
) -> np.ndarray:
    """Whether each token is among the others of its row."""
    return np.isin(tokens + rows * _VOCABULARY, others + other_rows * _VOCABULARY)


def _neighbours(query: pa.ListArray, text: pa.ListArray) -> np.ndarray:
    """Rows of the text's neighbouring tokens that are neighbours in the query too."""
    asked, asked_row = _bigrams(query)
    found, found_row = _bigrams(text)
    both = np.unique(np.concatenate([asked, found]), return_inverse=True)[1]
    hit = _occurs(both[len(asked) :], found_row, both[: len(asked)], asked_row)
    return found_row[hit]


def _bigrams(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    tokens, row, _ = _flat(lists)
    inside = row[1:] == row[:-1]
    return (tokens[:-1] * _VOCABULARY + tokens[1:])[inside], row[1:][inside]
