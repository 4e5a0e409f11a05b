r"""Ranking measures over ragged queries: flat arrays and offsets, never padded to the longest.

Documents of query ``i`` are rows ``offsets[i]:offsets[i + 1]`` of ``scores`` and ``labels``. Order
the documents once with :func:`rank`, then take as many measures as wanted of the result; each is
one number a query. Conventions are those of ``trec_eval``: a query without a relevant document (or
without any document) scores 0, so leave such queries out with :attr:`Ranked.has_relevant` where
that is wanted. Documents of one score stand in random order, drawn once for the whole collection
and the same for every ranker: no measure depends on the order of the file, which may be that of an
earlier ranker, and a constant is worth what chance is.

Gains: ``exponential`` is :math:`2^y - 1` (LETOR, Burges et al., 2005), ``linear`` is :math:`y`
(Järvelin and Kekäläinen, 2002, doi:10.1145/582415.582418; ``trec_eval``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

Gain = Callable[[np.ndarray], np.ndarray]
PerQuery = Float[np.ndarray, " queries"]


def exponential(labels: np.ndarray) -> np.ndarray:
    """Gain of a graded label: :math:`2^y - 1`."""
    return np.exp2(labels) - 1.0


def linear(labels: np.ndarray) -> np.ndarray:
    """Gain of a graded label: the label."""
    return labels


@dataclass(frozen=True)
class Ranked:
    """Labels in rank order, query after query."""

    labels: Float[np.ndarray, " documents"]
    offsets: Int[np.ndarray, " queries_plus_one"]

    @property
    def num_queries(self) -> int:
        """Queries, empty ones included."""
        return len(self.offsets) - 1

    @cached_property
    def query(self) -> Int[np.ndarray, " documents"]:
        """The query of each document."""
        return np.repeat(np.arange(self.num_queries), np.diff(self.offsets))

    @cached_property
    def ranks(self) -> Int[np.ndarray, " documents"]:
        """1-based ranks."""
        return np.arange(len(self.labels)) - self.offsets[self.query] + 1

    @cached_property
    def relevant(self) -> Bool[np.ndarray, " documents"]:
        """Labels above zero."""
        return self.labels > 0

    @cached_property
    def num_relevant(self) -> PerQuery:
        """Relevant documents of each query."""
        return self.total(self.relevant)

    @property
    def has_relevant(self) -> Bool[np.ndarray, " queries"]:
        """Queries whose ranking can be told good from bad."""
        return self.num_relevant > 0

    def total(self, terms: np.ndarray) -> PerQuery:
        """Sum of the documents' terms, by query; 0 for an empty query."""
        sums = np.bincount(self.query, weights=terms, minlength=self.num_queries)
        return sums.astype(float)  # of nothing at all it would be int

    def top(self, k: int) -> "Ranked":
        """The first ``k`` documents of every query."""
        kept = np.minimum(np.diff(self.offsets), k)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        return Ranked(self.labels[self.ranks <= k], offsets)

    @cached_property
    def ideal(self) -> "Ranked":
        """The same documents in their best order."""
        return Ranked(self.labels[np.lexsort((-self.labels, self.query))], self.offsets)


def rank(
    scores: Float[np.ndarray, " documents"],
    labels: Float[np.ndarray, " documents"],
    offsets: Int[np.ndarray, " queries_plus_one"],
    tie_break: Int[np.ndarray, " documents"] | None = None,
) -> Ranked:
    """Order every query's documents by falling score.

    Args:
        scores: Any real numbers; NaN ranks last.
        labels: Relevance grades, at least 0.
        offsets: Where each query starts; the last entry is the number of documents.
        tie_break: Of documents with one score the larger comes first (``trec_eval`` compares
            document names); None: chance decides, always in the same way.
    """
    query = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((-scores, query))
    above, below = scores[order[:-1]], scores[order[1:]]
    if ((np.diff(query) == 0) & ((above == below) | np.isnan(above))).any():  # else two keys do
        if tie_break is None:
            tie_break = np.random.default_rng(0).permutation(len(scores))
        order = np.lexsort((-tie_break, -scores, query))
    return Ranked(labels[order], offsets)


def dcg(ranked: Ranked, k: int, gain: Gain = exponential) -> PerQuery:
    r"""Discounted cumulative gain: :math:`\sum_{r \le k} g(y_r) / \log_2(1 + r)`."""
    top = ranked.top(k)
    return top.total(gain(top.labels) / np.log2(top.ranks + 1.0))


def ndcg(ranked: Ranked, k: int, gain: Gain = exponential) -> PerQuery:
    """DCG over that of the best order; 0 without a relevant document."""
    best = dcg(ranked.ideal, k, gain)
    return _ratio(dcg(ranked, k, gain), best)


def err(ranked: Ranked, k: int, max_grade: float = 4.0) -> PerQuery:
    r"""Expected reciprocal rank (Chapelle et al., 2009, doi:10.1145/1645953.1646033, alg. 2).

    .. math:: \sum_{r \le k} \frac1r R_r \prod_{i<r}(1 - R_i), \quad R = (2^y - 1) / 2^{y_{max}}

    Args:
        ranked: Queries in rank order.
        k: Depth.
        max_grade: The highest grade of the collection's scale, not of this query; no label is
            above it.
    """
    top = ranked.top(k)
    stop = exponential(top.labels) / 2.0**max_grade
    total = np.cumsum(np.log1p(-np.minimum(stop, 1 - 1e-12)))
    before = np.concatenate([[0.0], total])
    survived = np.exp(before[:-1] - before[top.offsets[top.query]])
    return top.total(survived * stop / top.ranks)


def average_precision(ranked: Ranked, k: int | None = None) -> PerQuery:
    """Mean of the precisions at the relevant documents (MAP is its mean over queries).

    With ``k``, documents below rank ``k`` count as missed: the divisor stays all relevant ones.
    """
    found = np.cumsum(ranked.relevant)
    before = np.concatenate([[0], found])[ranked.offsets[ranked.query]]
    precision = (found - before) / ranked.ranks
    counted = ranked.relevant if k is None else ranked.relevant & (ranked.ranks <= k)
    return _ratio(ranked.total(precision * counted), ranked.num_relevant)


def reciprocal_rank(ranked: Ranked, k: int | None = None) -> PerQuery:
    """One over the rank of the first relevant document; 0 if there is none (in the first k)."""
    counted = ranked.relevant if k is None else ranked.relevant & (ranked.ranks <= k)
    best = np.zeros(ranked.num_queries)
    np.maximum.at(best, ranked.query[counted], 1.0 / ranked.ranks[counted])
    return best


def precision(ranked: Ranked, k: int) -> PerQuery:
    """Share of relevant documents among the first ``k``; a shorter list counts as misses."""
    return ranked.total(ranked.relevant & (ranked.ranks <= k)) / k


def _ratio(numerator: PerQuery, denominator: PerQuery) -> PerQuery:
    """Divide, with 0 where there is nothing to divide by."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, 0.0)


METRICS: dict[str, Callable[[Ranked], np.ndarray]] = {
    "ndcg@1": lambda ranked: ndcg(ranked, 1),
    "ndcg@3": lambda ranked: ndcg(ranked, 3),
    "ndcg@5": lambda ranked: ndcg(ranked, 5),
    "ndcg@10": lambda ranked: ndcg(ranked, 10),
    "dcg@10": lambda ranked: dcg(ranked, 10),
    "err@10": lambda ranked: err(ranked, 10, max(4.0, ranked.labels.max(initial=0.0))),
    "map": average_precision,
    "mrr@10": lambda ranked: reciprocal_rank(ranked, 10),
    "p@10": lambda ranked: precision(ranked, 10),
}
"""What a report shows, by the name it shows it under. Grades are of a scale of 0 to 4, as those of
`trec_eval` and of LETOR, unless one is higher: then up to that."""
