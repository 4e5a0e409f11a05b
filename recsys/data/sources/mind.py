"""MIND, large and small (Wu et al., ACL 2020): ``behaviors.tsv``, ``news.tsv``, entity vectors.

Format: https://github.com/msnews/msnews.github.io/blob/master/assets/doc/introduction.md

MIND shuffles each slate, so the position shown is unknown. Its times carry no zone and are taken
as UTC. ``embedding`` is the mean of the vectors of the entities in title and abstract, where
``entity_embedding.vec`` is there; a news without a known entity has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from recsys.data.prefetch import prefetch
from recsys.data.raw import RawFolder
from recsys.data.rows import Rows, known
from recsys.data.slates import any_in_slate, has_repeats, slate_of
from recsys.data.sources.mind_entities import EntityVectors
from recsys.data.tally import Seen

_NEWS = (
    "news_id", "category", "subcategory", "title", "abstract", "url", "title_entities",
    "abstract_entities",
)  # fmt: skip
_BEHAVIORS = ("slate_id", "user_id", "time", "history", "shown")
_VECTORS = "entity_embedding.vec"
_MAX_ID = 2**53


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read one split of MIND, such as the folder ``MINDsmall_train``.

    Raises:
        DataError: A file is missing, or a row is bad and bad rows are not to be skipped.
    """
    vectors = EntityVectors.read(raw, _VECTORS) if raw.has(_VECTORS) else None
    yield from _news(raw, vectors)
    seen = Seen()
    for rows in prefetch(raw.delimited("behaviors.tsv", _BEHAVIORS, "\t")):
        rows = rows.integers("slate_id", 0, _MAX_ID).filled("user_id")
        rows = rows.times("time", "%m/%d/%Y %I:%M:%S %p", "11/15/2019 10:22:32 AM")
        slates = _slates(rows)
        fresh = slates.rows.unique("slate_id", seen)
        slates = slates if fresh is slates.rows else _slates(fresh)
        if len(fresh):
            yield "impressions", _impressions(slates)
            yield "histories", _histories(slates)


@dataclass(frozen=True)
class _Slates:
    rows: Rows
    history: pa.ListArray
    lengths: Int64[np.ndarray, " slates"]
    news: pa.DictionaryArray
    clicked: Bool[np.ndarray, " impressions"]


def _slates(rows: Rows) -> _Slates:
    """Take histories and slates apart; where a row is bad, the others are read again."""
    history = pc.split_pattern(rows["history"].combine_chunks(), " ")
    shown, lengths = _tokens(rows["shown"].combine_chunks())
    news, clicked, well_formed = _pairs(shown)
    good = rows.demand(_is_history(history), "history: news ids, one space apart", "history")
    if good is rows:
        distinct = ~has_repeats(news.indices.to_numpy(), lengths)
        ok = distinct & ~any_in_slate(~well_formed, lengths)
        good = rows.demand(ok, "shown: distinct news ids, each with -0 or -1", "shown")
    return _Slates(rows, history, lengths, news, clicked) if good is rows else _slates(good)


def _impressions(slates: _Slates) -> pa.Table:
    rows, slate = slates.rows, slate_of(slates.lengths)
    users = rows["user_id"].combine_chunks().dictionary_encode()
    times = rows["time"].combine_chunks().cast(pa.int64()).to_numpy()
    return pa.table(
        {
            "slate_id": rows["slate_id"].to_numpy()[slate],
            "user_id": pa.DictionaryArray.from_arrays(
                users.indices.to_numpy()[slate], users.dictionary
            ),
            "time": pa.array(times[slate]).cast(rows["time"].type),
            "news_id": slates.news,
            "position": np.zeros(len(slate), np.int16),
            "clicked": slates.clicked,
        }
    )


def _histories(slates: _Slates) -> pa.Table:
    rows = slates.rows
    table = pa.table({"user_id": rows["user_id"], "time": rows["time"], "history": slates.history})
    return table.filter(pc.not_equal(rows["history"], ""))


def _is_history(history: pa.ListArray) -> Bool[np.ndarray, " rows"]:
    """An empty history is one empty id; anywhere else an empty id is a stray space."""
    lengths = np.diff(history.offsets.to_numpy())
    empty = pc.equal(pc.binary_length(history.values), 0).to_numpy(zero_copy_only=False)
    return ~any_in_slate(empty, lengths) | (lengths == 1)


def _tokens(column: pa.StringArray) -> tuple[pa.StringArray, Int64[np.ndarray, " rows"]]:
    """Cut texts at spaces where they lie, which is much faster than a copy of each token.

    Returns:
        The tokens of all rows, each with the space that follows it, and how many each row has.
    """
    if not len(column):
        return column, np.zeros(0, np.int64)
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(column)], column), " ")[0].as_buffer()
    spaces = np.flatnonzero(np.frombuffer(text, np.uint8) == ord(" "))
    offsets = np.concatenate([[0], spaces + 1, [len(text)]]).astype(np.int32)
    row_ends = np.cumsum(pc.binary_length(column).to_numpy() + 1, dtype=np.int64)
    last = np.searchsorted(offsets, row_ends)
    last[-1] = len(offsets) - 1  # no space follows
    tokens = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), text)
    return tokens, np.diff(last, prepend=0)


def _pairs(shown: pa.StringArray) -> tuple[pa.DictionaryArray, np.ndarray, np.ndarray]:
    """Take ``N1-0`` apart, each distinct text once: news, whether clicked, whether well-formed."""
    texts = shown.dictionary_encode()
    codes, pairs = texts.indices.to_numpy(), pc.utf8_rtrim(texts.dictionary, " ")
    news = pc.utf8_slice_codeunits(pairs, 0, -2).dictionary_encode()
    well_formed = pc.match_substring_regex(pairs, r"^\S+-[01]$")
    clicked = pc.ends_with(pairs, "-1")
    return (
        pa.DictionaryArray.from_arrays(news.indices.to_numpy()[codes], news.dictionary),
        np.asarray(clicked)[codes],
        np.asarray(well_formed)[codes],
    )


def _news(raw: RawFolder, vectors: EntityVectors | None) -> Iterator[tuple[str, pa.Table]]:
    seen = Seen()
    for rows in raw.delimited("news.tsv", _NEWS, "\t"):
        rows = rows.filled("news_id").unique("news_id", seen)
        table = rows.table.select(["news_id", "title"])
        for column in ("abstract", "category", "subcategory"):
            table = table.append_column(column, known(rows[column]))
        if vectors:
            embedding = vectors.mean(rows["title_entities"], rows["abstract_entities"])
            table = table.append_column("embedding", embedding)
        yield "news", table
