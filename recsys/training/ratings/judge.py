"""How well recommenders rank randomly shown news: measures, and intervals over readers.

Scores are ``[seeds, test]``: a measure is the mean over seeds, an interval resamples readers with
all their ratings, the same readers for every seed and method.
"""

import numpy as np
from jaxtyping import Float64, Int64

from recsys.evaluation import bootstrap, ir
from recsys.evaluation.bootstrap import Interval

Scores = Float64[np.ndarray, "seeds test"]
Labels = Float64[np.ndarray, " test"]
Readers = Int64[np.ndarray, " test"]


def recall(ranked: ir.Ranked, k: int) -> Float64[np.ndarray, " readers"]:
    """Share of a reader's liked news among the first ``k``; 0 without any liked."""
    found = ranked.total(ranked.relevant & (ranked.ranks <= k))
    return found / np.maximum(ranked.num_relevant, 1)


PER_READER = {
    "ndcg@5": lambda ranked: ir.ndcg(ranked, 5),
    "ndcg@10": lambda ranked: ir.ndcg(ranked, 10),
    "recall@5": lambda ranked: recall(ranked, 5),
}
"""Measures of one reader's list; readers who liked nothing in the test are left out."""


def per_reader(scores: Scores, labels: Labels, readers: Readers) -> dict[str, np.ndarray]:
    """Return each measure's mean over seeds, one value a reader; NaN for who liked nothing."""
    order = np.argsort(readers, kind="stable")
    offsets = np.append(0, np.cumsum(np.unique(readers, return_counts=True)[1]))
    lists = [ir.rank(row[order], labels[order], offsets) for row in scores]
    judged = lists[0].has_relevant
    return {
        name: np.where(judged, np.mean([measure(ranked) for ranked in lists], axis=0), np.nan)
        for name, measure in PER_READER.items()
    }


def auc_samples(
    scores: Scores, labels: Labels, readers: Readers, rng: np.random.Generator, num: int = 1000
) -> Float64[np.ndarray, " one_plus_samples"]:
    """Pooled AUC (mean over seeds) of the test itself, then of ``num`` resamples of its readers.

    Ties count half. Two methods given equal generators are resampled alike, so that their
    difference is paired.
    """
    distinct, reader = np.unique(readers, return_inverse=True)
    drawn = rng.multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)), size=num)
    times = np.vstack([np.ones(len(distinct)), drawn])[:, reader].astype(np.float32)
    return np.mean([_auc(row, labels, times) for row in scores], axis=0)


def interval(samples: Float64[np.ndarray, " one_plus_samples"]) -> Interval:
    """Percentile interval (95 %) of :func:`auc_samples`, or of the difference of two such."""
    low, high = np.quantile(samples[1:], [0.025, 0.975])
    return Interval(float(samples[0]), float(low), float(high))


def measures(
    scores: Scores, labels: Labels, readers: Readers, seed: int
) -> tuple[dict[str, Interval], dict[str, np.ndarray]]:
    """Return every measure with its interval, and the raw material for paired differences."""
    raw = per_reader(scores, labels, readers)
    raw["auc"] = auc_samples(scores, labels, readers, np.random.default_rng(seed))
    found = {"auc": interval(raw["auc"])}
    for name in PER_READER:
        found[name] = bootstrap.mean_interval(raw[name], rng=np.random.default_rng(seed))
    return found, raw


def difference(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], seed: int
) -> dict[str, Interval]:
    """Return paired differences of the raw material of two methods."""
    found = {"auc": interval(ours["auc"] - theirs["auc"])}
    for name in PER_READER:
        rng = np.random.default_rng(seed)
        found[name] = bootstrap.paired_difference(ours[name], theirs[name], rng=rng)
    return found


def _auc(
    scores: Float64[np.ndarray, " test"], labels: Labels, times: np.ndarray
) -> Float64[np.ndarray, " samples"]:
    """AUC under each row of multiplicities: liked over not liked, ties half."""
    levels, level = np.unique(scores, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(levels)))
    liked = np.add.reduceat((times * labels)[:, order], starts, axis=1, dtype=np.float64)
    other = np.add.reduceat((times * (1 - labels))[:, order], starts, axis=1, dtype=np.float64)
    below = np.cumsum(other, axis=1) - other / 2
    return (liked * below).sum(axis=1) / (liked.sum(axis=1) * other.sum(axis=1))
