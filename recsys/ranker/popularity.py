"""The popular rung: what to show when nothing is known of the reader."""

import numpy as np
from jaxtyping import Float32

from recsys.ranker.bundle import Catalogue
from recsys.ranker.pool import Pool
from recsys.ranker.query import Rows


class Popularity:
    """Fresh and popular news: ``(1 + popularity) * 2 ** (-age / half_life)``, in one fixed order.

    Ages count from the newest news; as every news ages alike, the order is the same at any time.
    News without a publication time count as one half-life old. Ties go to the lower row.
    """

    def __init__(self, catalogue: Catalogue, *, half_life_seconds: float) -> None:
        published_at = catalogue.published_at
        newest = published_at.max(initial=0)
        age = np.where(published_at != 0, (newest - published_at) / half_life_seconds, 1.0)
        # In logarithms, so that news of many half-lives ago keep their order.
        self._log_scores = np.log2(1.0 + catalogue.popularity.astype(np.float64)) - age
        self._order = np.argsort(-self._log_scores, kind="stable")
        self._place = np.empty(len(self._order), np.int64)
        self._place[self._order] = np.arange(len(self._order))

    def top(self, pool: Pool, k: int) -> Rows:
        """Return the best ``k`` rows of a pool, best first; fewer when the pool is smaller."""
        if pool.rows is not None:
            return pool.rows[np.argsort(self._place[pool.rows])][:k]
        if pool.allowed is not None:
            return self._order[pool.allowed[self._order]][:k]
        head = self._order[: k + len(pool.hidden)]
        return head[~np.isin(head, pool.hidden)][:k]

    def scores(self, rows: Rows) -> Float32[np.ndarray, " _rows"]:
        """Score rows; at least 0."""
        return np.exp2(self._log_scores[rows]).astype(np.float32)
