"""MIND's ``entity_embedding.vec``: vectors of the WikiData entities that news are about."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32

from recsys.data.raw import RawFolder
from recsys.errors import DataError


@dataclass(frozen=True)
class EntityVectors:
    """TransE vectors of entities, by WikiData id."""

    entities: pa.Array
    matrix: Float32[np.ndarray, "entities dim"]

    @classmethod
    def read(cls, raw: RawFolder, name: str) -> "EntityVectors":
        """Read a file of lines ``Q41<tab>0.012<tab>...``; a tab at the end of lines is ignored.

        Raises:
            DataError: The first line has no vector, or a line is bad and may not be skipped.
        """
        columns = _columns(raw, name)
        numbers = [column for column in columns if column.startswith("x")]
        entities, vectors = [], []
        for rows in raw.delimited(name, columns, "\t"):
            for column in numbers:
                good = pc.match_substring_regex(rows[column], _NUMBER)
                rows = rows.demand(good, f"{column}: a number", column)
            entities.extend(rows["entity"].chunks)
            values = [rows[column].cast(pa.float32()).to_numpy() for column in numbers]
            vectors.append(np.stack(values, axis=1))
        return cls(pa.concat_arrays(entities), np.concatenate(vectors))

    def mean(self, *mentions: pa.ChunkedArray) -> pa.FixedSizeListArray:
        """Average the vectors of the entities that each news mentions, each as often as listed.

        Args:
            mentions: Columns of MIND's entity lists, JSON text with ``"WikidataId": "Q41"``.

        Returns:
            One vector a news, null where none of its entities has a vector.
        """
        num_news = len(mentions[0])
        total = np.zeros((num_news, self.matrix.shape[1]), np.float32)
        count = np.zeros(num_news, np.int64)
        for column in mentions:
            news, vector = self._mentioned(column)
            np.add.at(total, news, self.matrix[vector])
            count += np.bincount(news, minlength=num_news)
        mean = total / np.maximum(count, 1)[:, None].astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(
            mean.ravel(), self.matrix.shape[1], mask=pa.array(count == 0)
        )

    def _mentioned(self, column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Pair each news with the vector of each entity it mentions, as two columns of rows."""
        pieces = pc.split_pattern(column.combine_chunks(), '"WikidataId": "')
        news = pc.list_parent_indices(pieces).to_numpy()
        found = pc.extract_regex(pieces.values, r'^(?P<id>Q[0-9]+)"')  # not what stands before
        rows = pc.index_in(pc.struct_field(found, "id"), self.entities)
        known = np.asarray(rows.is_valid())
        return news[known], rows.drop_null().to_numpy()


_NUMBER = r"^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$"


def _columns(raw: RawFolder, name: str) -> list[str]:
    """Name the fields of the first line."""
    path = raw.file(name)
    with path.open("rb") as file:
        fields = file.readline().rstrip(b"\r\n").split(b"\t")
    end = ["end"] if fields[-1] == b"" else []
    numbers = [f"x{i}" for i in range(len(fields) - 1 - len(end))]
    if not numbers:
        raise DataError.at(path, "expected an entity and its vector, separated by tabs", line=1)
    return ["entity", *numbers, *end]
