"""From many outcomes to a table: means with intervals, differences, and the gap that was closed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from recsys.evaluation import click
from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.crossed import crossed_interval
from recsys.evaluation.ir import PerQuery

NAIVE, TRUTH = "naive", "true-labels"
Metrics = dict[str, PerQuery]


@dataclass
class Scores:
    """Every metric of every query, by method, part of the data (such as a fold) and seed."""

    values: dict[tuple[str, str, int], Metrics] = field(default_factory=dict)

    def add(self, method: str, part: str, seed: int, metrics: Metrics) -> None:
        """Remember the metrics of one outcome."""
        self.values[method, part, seed] = metrics

    @property
    def methods(self) -> list[str]:
        """Methods in the order they were added."""
        return list(dict.fromkeys(method for method, _, _ in self.values))

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics."""
        return list(next(iter(self.values.values()), {}))

    def matrix(self, method: str, metric: str) -> Float[np.ndarray, "seeds queries"]:
        """A metric of one method: a row a seed, the queries of all parts side by side."""
        mine = {(part, seed): m for (name, part, seed), m in self.values.items() if name == method}
        parts = list(dict.fromkeys(part for part, _ in mine))
        seeds = list(dict.fromkeys(seed for _, seed in mine))
        return np.stack(
            [np.concatenate([mine[part, seed][metric] for part in parts]) for seed in seeds]
        )


def means(scores: Scores, rng: np.random.Generator) -> list[dict[str, object]]:
    """Mean of every metric and method with its interval; queries that are NaN are left out."""
    return [
        {"method": method, "metric": metric, **_row(scores.matrix(method, metric), rng)}
        for method in scores.methods
        for metric in scores.metrics
    ]


def differences(
    scores: Scores, metric: str, rng: np.random.Generator, base: str = NAIVE
) -> list[dict[str, object]]:
    """What each method adds to ``base``, query by query and seed by seed."""
    if base not in scores.methods:
        return []
    floor = scores.matrix(base, metric)
    return [
        {"method": method, "metric": metric, **_row(scores.matrix(method, metric) - floor, rng)}
        for method in scores.methods
        if method != base
    ]


def gap_closed(scores: Scores, metric: str, rng: np.random.Generator) -> dict[str, float]:
    """Share of the way from naive to true labels; empty unless that way is clearly above 0."""
    if not {NAIVE, TRUTH} <= set(scores.methods):
        return {}
    floor = scores.matrix(NAIVE, metric)
    gap = _row(scores.matrix(TRUTH, metric) - floor, rng)
    if not gap["low"] > 0:
        return {}
    return {
        name: float(np.nanmean(scores.matrix(name, metric) - floor)) / gap["mean"]
        for name in scores.methods
    }


def by_bucket(scores: Scores, metric: str, buckets: Iterable[int]) -> dict[str, dict[int, float]]:
    """Mean of a metric in each frequency bucket, by method."""
    bucket = np.asarray(list(buckets))
    table: dict[str, dict[int, float]] = {}
    for method in scores.methods:
        mean = scores.matrix(method, metric).mean(axis=0)
        known = {int(b): mean[(bucket == b) & ~np.isnan(mean)] for b in np.unique(bucket)}
        table[method] = {b: float(values.mean()) for b, values in known.items() if len(values)}
    return table


def examination(
    curves: dict[str, list[Float[np.ndarray, " length"]]],
    truth: Float[np.ndarray, " length"] | None,
) -> list[dict[str, object]]:
    """Mean learned curve of each method, and how far it is from the truth, where that is known."""
    rows: list[dict[str, object]] = []
    for method, found in curves.items():
        mean = np.mean([click.relative(curve) for curve in found], axis=0)
        row: dict[str, object] = {"method": method, "curve": mean.tolist()}
        if truth is not None:
            error = mean / click.relative(truth) - 1
            row["relative_error"] = error.tolist()
            row["max_relative_error"] = float(np.abs(error).max())
            row["spearman"] = click.spearman(mean, truth)
        rows.append(row)
    return rows


def _row(values: Float[np.ndarray, "seeds queries"], rng: np.random.Generator) -> dict[str, float]:
    usable = values[:, ~np.isnan(values).any(axis=0)]
    if not usable.shape[1]:
        return _plain(Interval(np.nan, np.nan, np.nan))
    return _plain(crossed_interval(usable, rng=rng))


def _plain(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}
