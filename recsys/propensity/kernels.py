"""Kernels on (reader, news) pairs, evaluated without ever forming a pair's covariates.

The covariates of a pair are the reader's and the news' side by side, so that a squared distance
between pairs is the sum of two: a table of readers and one of news against the anchors, then a
gather per pair. The cost of J functions over n pairs is O(n J), whatever the covariates' length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from recsys.errors import ConfigError, DataError

BLOCK = 1 << 16
"""Pairs handled at once: temporaries stay in the processor's cache, memory stays flat."""

PROFILES: dict[str, Callable[[Float32[np.ndarray, "..."]], Float32[np.ndarray, "..."]]] = {
    "gaussian": lambda scaled: np.exp(-scaled),
    "exponential": lambda scaled: np.exp(-np.sqrt(scaled)),
}
"""Kernel name to its value as a function of the scaled squared distance."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of one reader and one news, as row numbers."""

    readers: Int64[np.ndarray, " pairs"]
    news: Int64[np.ndarray, " pairs"]

    def __len__(self) -> int:
        return len(self.readers)

    def take(self, rows: Int64[np.ndarray, " rows"] | slice) -> "Pairs":
        """Keep the pairs at ``rows``."""
        return Pairs(self.readers[rows], self.news[rows])

    def blocks(self) -> Iterator[tuple[slice, "Pairs"]]:
        """Cut into consecutive blocks of at most ``BLOCK`` pairs."""
        for start in range(0, len(self), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self)))
            yield rows, self.take(rows)


@dataclass(frozen=True)
class Covariates:
    """What is known of readers and news before anything is shown; finite numbers."""

    readers: Float32[np.ndarray, "readers reader_dim"]
    news: Float32[np.ndarray, "news news_dim"]

    def __post_init__(self) -> None:
        for name, table in (("reader", self.readers), ("news", self.news)):
            if not len(table):
                raise DataError(f"{name} covariates: expected at least one row, found none")
            bad = ~np.isfinite(table).all(axis=1)
            if bad.any():
                raise DataError(
                    f"{name} covariates: {bad.sum()} of {len(table)} rows are not finite "
                    f"(first: row {bad.argmax()}); expected a number in every column"
                )


@dataclass(frozen=True)
class Kernel:
    r"""Gaussian :math:`e^{-\gamma d^2}` or exponential :math:`e^{-\sqrt{\gamma} d}`, d a distance.

    One scale for both: :math:`\gamma` is per squared distance, and both kernels fall to 1/e where
    :math:`\gamma d^2 = 1`.
    """

    name: str
    scale: float
    r""":math:`\gamma`, above 0."""

    def __post_init__(self) -> None:
        if self.name not in PROFILES:
            raise ConfigError(f"kernel: expected one of {', '.join(PROFILES)}, found {self.name!r}")
        if not 0 < self.scale < np.inf:
            raise ConfigError(f"kernel scale: expected a number above 0, found {self.scale}")


@dataclass(frozen=True)
class Functions:
    """Balancing functions ``h_j = K(anchor_j, .)``, ready to be evaluated at any pair."""

    kernel: Kernel
    anchors: Pairs
    reader_part: Float32[np.ndarray, "readers functions"]
    """Scaled squared distances of readers to the anchors' readers."""
    news_part: Float32[np.ndarray, "news functions"]

    @classmethod
    def at(cls, anchors: Pairs, covariates: Covariates, kernel: Kernel) -> "Functions":
        """Centre one function at each anchor."""
        return cls(
            kernel,
            anchors,
            kernel.scale * _squared_distances(covariates.readers, anchors.readers),
            kernel.scale * _squared_distances(covariates.news, anchors.news),
        )

    def __len__(self) -> int:
        return len(self.anchors)

    def pick(self, columns: Int64[np.ndarray, " picked"]) -> "Functions":
        """Keep the functions at ``columns``."""
        return Functions(
            self.kernel,
            self.anchors.take(columns),
            np.ascontiguousarray(self.reader_part[:, columns]),
            np.ascontiguousarray(self.news_part[:, columns]),
        )

    def __call__(self, pairs: Pairs) -> Float32[np.ndarray, "pairs functions"]:
        """Evaluate every function at every pair; values in (0, 1]."""
        values = np.empty((len(pairs), len(self)), np.float32)
        for rows, block in pairs.blocks():
            scaled = self.reader_part[block.readers] + self.news_part[block.news]
            values[rows] = PROFILES[self.kernel.name](scaled)
        return values

    def mean(
        self, pairs: Pairs, weights: Float64[np.ndarray, " pairs"] | None = None
    ) -> Float64[np.ndarray, " functions"]:
        """Average every function over ``pairs``, weighted when ``weights`` is given."""
        total = np.zeros(len(self))
        for rows, block in pairs.blocks():
            values = self(block)
            total += values.sum(0, np.float64) if weights is None else weights[rows] @ values
        return total / (len(pairs) if weights is None else weights.sum())


def median_scale(covariates: Covariates, pairs: Pairs, rng: np.random.Generator) -> float:
    """Choose the scale at which the median of 10 000 random couples of ``pairs`` gives 1/e.

    The median heuristic (Gretton et al., 2012, JMLR 13, section 8).

    Raises:
        DataError: All covariates are equal, so that no kernel can tell one pair from another.
    """
    first, second = (pairs.take(rng.integers(len(pairs), size=10_000)) for _ in range(2))
    apart = _rowwise(covariates.readers, first.readers, second.readers)
    apart = apart + _rowwise(covariates.news, first.news, second.news)
    if not apart.any():
        raise DataError("covariates: all rows are equal; expected some that tell pairs apart")
    return float(1 / np.median(apart[apart > 0]))


def population(num_readers: int, num_news: int, limit: int, rng: np.random.Generator) -> Pairs:
    """List every pair of a reader and a news, or ``limit`` of them drawn at random if more."""
    cells = num_readers * num_news
    codes = np.arange(cells) if cells <= limit else rng.integers(cells, size=limit)
    return Pairs(*np.divmod(codes, num_news))


def _squared_distances(
    table: Float32[np.ndarray, "rows dim"], anchors: Int64[np.ndarray, " anchors"]
) -> Float32[np.ndarray, "rows anchors"]:
    """|x - a|² by the product form; rounding below zero is cut off."""
    centred = table - table.mean(axis=0)
    norms = (centred**2).sum(axis=1)
    squares = norms[:, None] + norms[anchors] - 2 * centred @ centred[anchors].T
    return np.maximum(squares, 0, dtype=np.float32)


def _rowwise(
    table: Float32[np.ndarray, "rows dim"],
    first: Int64[np.ndarray, " couples"],
    second: Int64[np.ndarray, " couples"],
) -> Float32[np.ndarray, " couples"]:
    return ((table[first] - table[second]) ** 2).sum(axis=1)
