"""EB-NeRD's news: ``articles.parquet`` and document vectors, each read if it is there.

A file of document vectors has ``article_id`` and one column of lists of numbers, as in the
publisher's artifacts. Vectors without ``articles.parquet`` give news without text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float32

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows, nth
from recsys.data.schema import TIME
from recsys.data.tally import Seen
from recsys.errors import DataError

_ARTICLES = ("articles.parquet", "../articles.parquet")
"""In the folder of the split, or above it, where the publisher puts it."""
_TEXT = ("title", "subtitle", "category_str", "subcategory", "published_time")
VECTOR_FILES = (
    "document_vector.parquet",
    "contrastive_vector.parquet",
    "bert_base_multilingual_cased.parquet",
    "xlm_roberta_base.parquet",
)
"""The first of these that is there gives ``embedding``."""


@dataclass(frozen=True)
class _Vectors:
    ids: pa.Array
    matrix: Float32[np.ndarray, "news dim"]

    def of(self, ids: pa.ChunkedArray) -> pa.FixedSizeListArray:
        """Return the vector of each news, null where it has none."""
        rows = pc.index_in(ids.combine_chunks(), self.ids)
        found = self.matrix[pc.fill_null(rows, 0).to_numpy(zero_copy_only=False)]
        return pa.FixedSizeListArray.from_arrays(
            found.ravel(), self.matrix.shape[1], mask=rows.is_null()
        )


def read(raw: RawFolder) -> Iterator[pa.Table]:
    """Read news tables; none where neither articles nor vectors are there."""
    name = next((name for name in VECTOR_FILES if raw.has(name)), None)
    vectors = _read_vectors(raw, name) if name else None
    articles = next((name for name in _ARTICLES if raw.has(name)), None)
    if articles:
        yield from _articles(raw, articles, vectors)
    elif vectors:
        ids = pa.chunked_array([vectors.ids])
        titles = pa.repeat("", len(ids))
        table = {"news_id": ids.cast(pa.string()), "title": titles, "embedding": vectors.of(ids)}
        yield pa.table(table)


def _articles(raw: RawFolder, name: str, vectors: _Vectors | None) -> Iterator[pa.Table]:
    seen = Seen()
    for rows in raw.parquet(name, ("article_id", *_TEXT)):
        rows = rows.present("article_id").unique("article_id", seen)
        table = {
            "news_id": rows["article_id"].cast(pa.string()),
            "title": pc.fill_null(rows["title"], ""),
            "abstract": rows["subtitle"],
            "category": rows["category_str"],
            "subcategory": nth(rows["subcategory"], 0).cast(pa.string()),
            "published_at": rows["published_time"].cast(pa.timestamp("us")).cast(TIME),
        }
        if vectors:
            table["embedding"] = vectors.of(rows["article_id"])
        yield pa.table(table)


def _read_vectors(raw: RawFolder, name: str) -> _Vectors:
    column = _vector_column(raw, name)
    ids: list[pa.Array] = []
    blocks: list[np.ndarray] = []
    seen = Seen()
    dim = 0
    for rows in raw.parquet(name, ("article_id", column)):
        rows = rows.present("article_id", column).unique("article_id", seen)
        dim = dim or _dim(rows, column)
        good = pc.equal(pc.list_value_length(rows[column]), dim)
        rows = rows.demand(good, f"{column}: {dim} numbers", "article_id")
        ids.extend(rows["article_id"].chunks)
        values = pc.list_flatten(rows[column]).combine_chunks().cast(pa.float32())
        blocks.append(values.to_numpy(zero_copy_only=False).reshape(-1, dim))
    if not dim:
        raise DataError.at(raw.file(name), "holds no vector")
    return _Vectors(pa.concat_arrays(ids), np.concatenate(blocks))


def _dim(rows: Rows, column: str) -> int:
    return pc.list_value_length(rows[column])[0].as_py() if len(rows) else 0


def _vector_column(raw: RawFolder, name: str) -> str:
    path = raw.file(name)
    fields = pq.read_schema(path)
    lists = [field.name for field in fields if _is_list(field.type)]
    if len(lists) != 1:
        raise DataError.at(path, f"expected one column of vectors, found {len(lists)}")
    return lists[0]


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
