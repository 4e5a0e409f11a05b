"""What no log would say, in a folder ``truth/`` beside the tables that training never reads.

* ``impressions.parquet``: for each row of the log's, in the same order, ``relevance``,
  ``examination``, ``inclusion`` and ``exposure``;
* ``readers.parquet``: ``taste``, ``personal_taste`` (no attribute had a hand in it) and the hours
  of ``visits``;
* ``attributes.parquet``: every reader's attributes, none missing;
* ``news.parquet``: ``appeal``, ``point``, ``tone``, ``live_from`` and ``live_until``;
* ``inclusion.parquet``: for each hour and news alive in it, the probability to be in a slate;
* ``examination.parquet``: the examination curve;
* ``world.json``: the settings.

*Relevance* is the probability of a click given that the news is examined, *examination* that its
place is looked at, *inclusion* that this slate held this news at any place, *exposure* that this
reader was shown this news at all, given when the reader came. The last two are averages over the
readers who came in the same hour: who has clicked more is shown more of the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int
from pydantic import ValidationError

from recsys.errors import DataError
from recsys.simulation import clicks
from recsys.simulation.config import WorldConfig

FOLDER = "truth"
BLOCK_PAIRS = 1 << 16
"""Pairs of reader and news looked at in one go: bounds the memory."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of a world: relevance and exposure of any reader and news. Use :meth:`load`."""

    config: WorldConfig
    readers: pd.Index
    news: pd.Index
    tastes: Float[np.ndarray, "users dim"]
    personal_tastes: Float[np.ndarray, "users dim"]
    points: Float[np.ndarray, "items dim"]
    appeal: Float[np.ndarray, " items"]
    visits: Bool[np.ndarray, "users hours"]
    unseen: Float[np.ndarray, "items hours"]
    """Logarithm of the probability that a slate of that hour does not hold the news."""
    attributes: pd.DataFrame
    """True attributes, by ``user_id``."""
    examination: Float[np.ndarray, " places"]

    @classmethod
    def load(cls, dataset: Path) -> "Truth":
        """Read the truth of a simulated dataset.

        Args:
            dataset: The dataset's folder.

        Raises:
            DataError: The dataset was not simulated, or its truth is damaged.
        """
        folder = dataset / FOLDER
        if not folder.is_dir():
            raise DataError.at(folder, "is missing; expected a dataset made by `recsys simulate`")
        try:
            return cls._read(folder)
        except (OSError, KeyError, pa.ArrowInvalid, ValidationError) as error:
            raise DataError.at(folder, f"cannot be read: {error}") from None

    @classmethod
    def _read(cls, folder: Path) -> "Truth":
        config = WorldConfig.model_validate_json((folder / "world.json").read_text("utf-8"))
        readers = pq.read_table(folder / "readers.parquet")
        news = pq.read_table(folder / "news.parquet")
        news_ids = pd.Index(news["news_id"].to_pandas())
        curve = pq.read_table(folder / "examination.parquet")["examination"]
        return cls(
            config,
            readers=pd.Index(readers["user_id"].to_pandas()),
            news=news_ids,
            tastes=_matrix(readers["taste"]),
            personal_tastes=_matrix(readers["personal_taste"]),
            points=_matrix(news["point"]),
            appeal=news["appeal"].to_numpy(),
            visits=_visits(readers["visits"], config.hours),
            unseen=_unseen(pq.read_table(folder / "inclusion.parquet"), news_ids, config.hours),
            attributes=pq.read_table(folder / "attributes.parquet")
            .to_pandas()
            .set_index("user_id"),
            examination=curve.to_numpy(),
        )

    def relevance(
        self, user_ids: Sequence[str], news_ids: Sequence[str]
    ) -> Float[np.ndarray, " pairs"]:
        """Return the probability that each reader clicks the news beside it, once examined.

        Raises:
            DataError: A reader or news is not of this world.
        """
        return self._by_block(self._relevance, user_ids, news_ids)

    def exposure(
        self, user_ids: Sequence[str], news_ids: Sequence[str]
    ) -> Float[np.ndarray, " pairs"]:
        """Return the probability that each reader was shown the news beside it at all.

        0 where the reader never came while the news was alive.

        Raises:
            DataError: A reader or news is not of this world.
        """
        return self._by_block(self._exposure, user_ids, news_ids)

    def relevance_table(
        self, user_ids: Sequence[str], news_ids: Sequence[str]
    ) -> Float[np.ndarray, "users items"]:
        """Return the relevance of every news for every reader.

        Raises:
            DataError: A reader or news is not of this world.
        """
        users, items = _rows(self.readers, user_ids), _rows(self.news, news_ids)
        logits = self.tastes[users] @ self.points[items].T + self.appeal[items]
        return clicks.relevance(logits, self.config.noise)

    def _by_block(
        self,
        function: Callable[[np.ndarray, np.ndarray], np.ndarray],
        user_ids: Sequence[str],
        news_ids: Sequence[str],
    ) -> Float[np.ndarray, " pairs"]:
        users, items = _rows(self.readers, user_ids), _rows(self.news, news_ids)
        result = np.empty(len(users), np.float32)
        for at in range(0, len(users), BLOCK_PAIRS):
            block = slice(at, at + BLOCK_PAIRS)
            result[block] = function(users[block], items[block])
        return result

    def _relevance(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        interest = np.einsum("pd,pd->p", self.tastes[users], self.points[items])
        return clicks.relevance(interest + self.appeal[items], self.config.noise)

    def _exposure(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return exposure(self.visits[users], self.unseen[items])


def exposure(
    visits: Bool[np.ndarray, "pairs hours"], unseen: Float[np.ndarray, "pairs hours"]
) -> Float[np.ndarray, " pairs"]:
    """Return the probability that a reader was shown a news at least once.

    ``1 - prod over visits of (1 - inclusion)``.

    Args:
        visits: Whether the reader came in each hour.
        unseen: ``log(1 - inclusion)`` of the news in each hour, 0 when it was not alive.
    """
    return np.abs(np.expm1(np.where(visits, unseen, 0.0).sum(axis=1)))  # 0 is not -0


def log_missed(inclusion: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return ``log(1 - inclusion)``; minus infinity where every slate holds the news."""
    with np.errstate(divide="ignore"):
        return np.log1p(-inclusion)


def _rows(index: pd.Index, ids: Sequence[str]) -> Int[np.ndarray, " pairs"]:
    rows = index.get_indexer(pd.Index(list(ids)))
    if (rows < 0).any():
        raise DataError(f"{ids[int(np.argmax(rows < 0))]!r} is not of this simulated world")
    return rows


def _matrix(column: pa.ChunkedArray) -> Float[np.ndarray, "rows dim"]:
    flat = column.combine_chunks()
    return flat.flatten().to_numpy().reshape(len(flat), -1)


def _visits(column: pa.ChunkedArray, hours: int) -> Bool[np.ndarray, "users hours"]:
    lists = column.combine_chunks()
    visits = np.zeros((len(lists), hours), bool)
    visits[lists.value_parent_indices().to_numpy(), lists.flatten().to_numpy()] = True
    return visits


def _unseen(table: pa.Table, news: pd.Index, hours: int) -> Float[np.ndarray, "items hours"]:
    unseen = np.zeros((len(news), hours), np.float32)
    rows = news.get_indexer(pd.Index(table["news_id"].to_pandas()))
    unseen[rows, table["hour"].to_numpy()] = log_missed(table["inclusion"].to_numpy())
    return unseen
