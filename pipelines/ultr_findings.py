"""What `recsys evaluate-ultr` found: gathered, summed up, and said in words."""

from typing import Any

import numpy as np

from recsys.ltr import summary
from recsys.ltr.experiment import Outcome
from recsys.ltr.summary import Scores

HEADLINE = "ndcg@10"
INITIAL = "initial"
"""The ranker that decided what was shown."""
SMALL = 1000
"""Fewer usable test queries make a smoke test."""


class Findings:
    """What came out so far, of all parts of the data and all seeds."""

    def __init__(self) -> None:
        self.scores = Scores()
        self.curves: dict[str, list[list[tuple[int, float]]]] = {}
        self.examination: dict[str, list[np.ndarray]] = {}
        self.truth: list[np.ndarray] = []
        self.buckets: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}
        self.click_models: list[dict[str, object]] = []

    def add(self, outcome: Outcome, part: str, metrics: summary.Metrics) -> None:
        """Take one trained ranker and how it did."""
        self.scores.add(outcome.method, part, outcome.seed, metrics)
        self.curves.setdefault(outcome.method, []).append(outcome.curve)
        if outcome.examination is not None:
            self.examination.setdefault(outcome.method, []).append(outcome.examination)
        self.seconds[outcome.method] = self.seconds.get(outcome.method, 0.0) + outcome.seconds

    def result(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Sum up; the keys are those of the JSON."""
        rng = np.random.default_rng(settings["seed"])
        scores = self.scores
        metric = HEADLINE if HEADLINE in scores.metrics else scores.metrics[0]
        matrix = scores.matrix(scores.methods[0], metric)
        truth = np.mean(self.truth, axis=0) if self.truth else None
        buckets = [bucket for part in self.buckets.values() for bucket in part]
        result = {
            "metric": metric,
            "queries": matrix.shape[1],
            "usable_queries": int((~np.isnan(matrix).any(axis=0)).sum()),
            "results": summary.means(scores, rng),
            "differences": summary.differences(scores, metric, rng),
            "gap_closed": summary.gap_closed(scores, metric, rng),
            "examination": summary.examination(self.examination, truth),
            "examination_truth": None if truth is None else (truth / truth[0]).tolist(),
            "learning_curves": _mean_curves(self.curves),
            "buckets": summary.by_bucket(scores, metric, buckets) if buckets else {},
            "click_models": self.click_models,
            "seconds": self.seconds,
            "settings": settings,
        }
        return result | {"notes": notes(result)}


def _mean_curves(curves: dict[str, list[list[tuple[int, float]]]]) -> dict[str, list[list[float]]]:
    """Learning curves, averaged over parts and seeds; none where nothing was watched."""
    return {
        method: np.mean(np.array(found), axis=0).tolist()
        for method, found in curves.items()
        if found[0]
    }


def notes(result: dict[str, Any]) -> list[str]:
    """Say in words what the numbers allow to conclude."""
    said = [
        f"{result['usable_queries']} of {result['queries']} test queries can be told good from "
        "bad and are counted."
    ]
    if result["usable_queries"] < SMALL:
        said.append(
            "So few queries make this a smoke test: differences within the intervals are none."
        )
    if result["differences"]:
        said += _against_naive(result["differences"])
    return said + _caveats(result)


def _against_naive(rows: list[dict[str, Any]]) -> list[str]:
    trained = [row for row in rows if row["method"] != INITIAL]
    if any(row["method"] == summary.TRUTH and row["low"] <= 0 for row in trained):
        said = ["True labels are not clearly better than naive here: there is no gap to close."]
    else:
        said = []
    better = [row["method"] for row in trained if row["low"] > 0]
    worse = [row["method"] for row in trained if row["high"] < 0]
    rest = [row["method"] for row in trained if row["low"] <= 0 <= row["high"]]
    groups = {"Better than": better, "Worse than": worse, "Not to be told from": rest}
    return said + [f"{name} naive: {', '.join(found)}." for name, found in groups.items() if found]


def _caveats(result: dict[str, Any]) -> list[str]:
    if result["click_models"]:
        best = max(result["click_models"], key=lambda row: row["log_likelihood"])
        return [
            f"Of the click models, {best['model']} predicts held-out clicks best; methods that "
            "assume a position-based one are right as far as it is close to that."
        ]
    settings, said = result["settings"]["protocol"], []
    if settings["clicks"] != "position":
        said.append(
            f"Clicks follow the {settings['clicks']} model: a position-based examination curve "
            "is wrong here, whatever method learned it."
        )
    if settings["confounding"] > 0:
        said.append(
            "The logging policy knows relevance: position and relevance cannot be told apart from "
            "such logs alone; log some randomised lists, or give propensities."
        )
    return said
