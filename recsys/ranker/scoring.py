"""Dot products and top-k on the device, fast in low precision and exact in the result.

Scores are computed in the type that is fastest on the device. That is enough to tell which news
could be among the best; those few are scored again from the published float16 vectors in float64.
So an answer depends neither on the device, nor on the precision, nor on who else is in the batch.
Equal scores are ordered by row.

Shapes: ``batch`` queries, ``columns`` scored news of each, ``finalists`` scored again.
"""

import time
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Int64
from torch import Tensor
from torch.nn import functional

from recsys.ranker.pool import Pool
from recsys.ranker.query import Rows
from recsys.types import ServedVectors

Queries = Float[Tensor, "batch dim"]
Rough = Float[Tensor, "batch columns"]
RowTable = Int64[Tensor, "batch columns"]
Columns = Int64[Tensor, "batch finalists"]
Top = tuple[Rows, Float32[np.ndarray, " _places"]]
"""Rows, best first, and their scores."""

_ERROR = {torch.float32: 3.02 * 2.0**-24, torch.bfloat16: 3.02 * 2.0**-8}
"""Bound of a score's error in units of |query| |news|: three roundings, of both factors and of the
sum, by at most 2^-24 or 2^-8 each, and what they do to each other."""
_SPARE_FINALISTS = 64
"""Finalists besides twice the places asked for; with fewer, near ties too often reach beyond."""
_EXACT_AT_ONCE = 1 << 22
"""Numbers gathered in one go, so that memory stays bounded."""
_TRIALS, _TRIAL_ROWS, _TRIAL_BATCH = 3, 16_384, 16


def fastest(num_news: int, dim: int, device: torch.device) -> torch.dtype:
    """Choose the type of the first scores: bfloat16 on CUDA, on CPU whichever a trial says."""
    if device.type == "cuda":
        return torch.bfloat16
    return min(_ERROR, key=lambda dtype: _trial(num_news, dim, dtype))


def _trial(num_news: int, dim: int, dtype: torch.dtype) -> float:
    matrix = torch.ones(min(num_news, _TRIAL_ROWS), dim, dtype=dtype)
    queries = torch.ones(_TRIAL_BATCH, dim, dtype=dtype)
    seconds = []
    for _ in range(_TRIALS + 1):  # the first warms up
        start = time.perf_counter()
        torch.mm(queries, matrix.T)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


class Scorer:
    """The news matrix on a device."""

    def __init__(self, vectors: ServedVectors, *, device: torch.device, dtype: torch.dtype) -> None:
        """Copy the matrix to the device.

        Args:
            vectors: As published.
            device: Where to score.
            dtype: Of the first scores; see :func:`fastest`.
        """
        self.device = device
        self.dtype = dtype
        self._published = torch.tensor(vectors, device=device)
        self._matrix = self._published.to(dtype)
        norm = self._published.double().norm(dim=1).max() if len(vectors) else 0.0
        # Adding up `dim` products in float32 errs by at most dim * 2^-23 besides.
        self._error = float(norm) * (_ERROR[dtype] + vectors.shape[1] * 2.0**-23)

    @torch.inference_mode()
    def scores(
        self, vector: Float16[np.ndarray, " dim"], rows: Rows
    ) -> Float32[np.ndarray, " _rows"]:
        """Score some rows for one query, exactly as :meth:`top` does."""
        query = torch.tensor(vector, device=self.device)
        return self._exact(query[None], self._put(rows)[None])[0].cpu().numpy()

    @torch.inference_mode()
    def top(self, vectors: ServedVectors, pools: Sequence[Pool], ks: Sequence[int]) -> list[Top]:
        """Return the best of each pool, ``min(k, pool.size)`` of them."""
        queries = torch.tensor(vectors, device=self.device)
        answers: dict[int, Top] = {}
        for few in (True, False):
            chosen = [i for i, pool in enumerate(pools) if (pool.rows is not None) == few]
            if chosen:
                part = [pools[i] for i in chosen]
                num = [min(ks[i], pools[i].size) for i in chosen]
                find = self._top_of_few if few else self._top_of_many
                answers |= zip(chosen, find(queries[chosen], part, num), strict=True)
        return [answers[i] for i in range(len(pools))]

    def _top_of_few(self, queries: Queries, pools: Sequence[Pool], nums: list[int]) -> list[Top]:
        """Gather the news of each pool: [batch, columns], padded on the right."""
        width = max(pool.size for pool in pools)
        table = np.zeros((len(pools), width), np.int64)
        for line, pool in zip(table, pools, strict=True):
            line[: pool.size] = pool.members()
        rows = self._put(table)
        sizes = self._put(np.array([pool.size for pool in pools]))
        padding = torch.arange(width, device=self.device) >= sizes[:, None]
        if width <= 2 * _num_finalists(nums):  # not worth choosing among
            return _cut(self._order(queries, rows, padding, max(nums)), nums)
        news = functional.embedding(rows, self._matrix)
        rough = torch.bmm(news, queries.to(self.dtype)[:, :, None])[:, :, 0]
        return self._finish(queries, rough.masked_fill_(padding, -torch.inf), rows, nums)

    def _top_of_many(self, queries: Queries, pools: Sequence[Pool], nums: list[int]) -> list[Top]:
        """Score the whole catalogue, then mask what is not eligible."""
        rough = queries.to(self.dtype) @ self._matrix.T
        for line, pool in zip(rough, pools, strict=True):
            if pool.allowed is not None:
                line.masked_fill_(~self._put(pool.allowed), -torch.inf)
        lines = np.repeat(np.arange(len(pools)), [len(pool.hidden) for pool in pools])
        hidden = np.concatenate([pool.hidden for pool in pools])
        rough[self._put(lines), self._put(hidden)] = -torch.inf
        return self._finish(queries, rough, None, nums)

    def _finish(
        self, queries: Queries, rough: Rough, rows: RowTable | None, nums: list[int]
    ) -> list[Top]:
        """Choose finalists by rough scores and order them by exact ones."""
        values, columns = rough.topk(min(_num_finalists(nums), rough.shape[1]))
        tops = self._order_columns(queries, rough, rows, columns.sort(dim=1).values, max(nums))
        for i, least in self._doubtful(queries, rough, values, nums):
            columns = (rough[i].float() >= least).nonzero().T
            line = slice(i, i + 1)
            of_line = None if rows is None else rows[line]
            alone = self._order_columns(queries[line], rough[line], of_line, columns, nums[i])
            tops[i] = alone[0]
        return _cut(tops, nums)

    def _doubtful(
        self, queries: Queries, rough: Rough, values: Float[Tensor, "batch best"], nums: list[int]
    ) -> list[tuple[int, float]]:
        """Find queries of which a news outside the finalists might belong into the answer.

        The k-th best exact score is at least the k-th best rough one less the error, and no news
        whose rough score is lower by another error can reach it.

        Returns:
            Query and the least rough score that might do.
        """
        if values.shape[1] == rough.shape[1]:
            return []
        last = self._put(np.maximum(np.array(nums) - 1, 0))[:, None]
        reach = 2 * self._error * queries.float().norm(dim=1)
        least = values.gather(1, last)[:, 0].float() - reach
        outside = values[:, -1].float()
        doubtful = (outside >= least) & (outside > -torch.inf)
        return [(i, least[i].item()) for i in doubtful.nonzero()[:, 0].tolist()]

    def _order_columns(
        self, queries: Queries, rough: Rough, rows: RowTable | None, columns: Columns, num: int
    ) -> list[Top]:
        finalists = columns if rows is None else rows.gather(1, columns)
        return self._order(queries, finalists, rough.gather(1, columns) == -torch.inf, num)

    def _order(
        self, queries: Queries, rows: Columns, excluded: Bool[Tensor, "batch finalists"], num: int
    ) -> list[Top]:
        """Order ascending rows by exact score and then by row."""
        exact = self._exact(queries, rows).masked_fill_(excluded, -torch.inf)
        scores, order = exact.sort(dim=1, descending=True, stable=True)
        best = rows.gather(1, order[:, :num]).cpu().numpy()
        return list(zip(best, scores[:, :num].cpu().numpy(), strict=True))

    def _exact(self, queries: Queries, rows: Columns) -> Float[Tensor, "batch finalists"]:
        at_once = max(1, _EXACT_AT_ONCE // max(1, rows.shape[1] * queries.shape[1]))
        parts = zip(queries.split(at_once), rows.split(at_once), strict=True)
        return torch.cat([self._dot(part, some) for part, some in parts]).float()

    def _dot(self, queries: Queries, rows: Columns) -> Float[Tensor, "batch finalists"]:
        news = functional.embedding(rows, self._published).double()
        return torch.bmm(news, queries.double()[:, :, None])[:, :, 0]

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=self.device)


def _num_finalists(nums: Sequence[int]) -> int:
    return 2 * max(nums) + _SPARE_FINALISTS


def _cut(tops: Sequence[Top], nums: Sequence[int]) -> list[Top]:
    return [(rows[:num], scores[:num]) for (rows, scores), num in zip(tops, nums, strict=True)]
