"""The value of a run of our own on a dataset with logged propensities.

The policy: of the news alive at the time, those the reader has not clicked yet, each place is
filled by a draw in proportion to ``(1 - explore) * softmax(score / temperature) + explore / n``,
scores standardised within what is alive. Its propensities given the places above are exact, and
the logged ones are of the same kind, so that products down the slate are weights of whole slates.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from pydantic import Field

from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.errors import CheckpointError, DataError
from recsys.evaluation import battery
from recsys.evaluation.battery import Estimate
from recsys.evaluation.bootstrap import mean_interval
from recsys.evaluation.overlap import MIN_EFFECTIVE, Overlap, overlap
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle

BLOCK = 2_000
"""Slates scored at a time."""
EVALUATED = "offline/evaluation.parquet"


class RunPolicyConfig(Config):
    """How a run chooses what to show."""

    temperature: float = Field(1.0, gt=0)
    """Of the softmax over standardised scores; towards 0 the best alone is shown."""
    explore: float = Field(0.1, ge=0, le=1)
    """Share of uniform chance."""


def evaluate(
    path: Path, run: Path, settings: RunPolicyConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """Estimate what a run would have earned, in clicks a slate.

    Only slates that the run held out of training count, where it says which; slates of readers
    without a vector are left out and counted.

    Raises:
        DataError: The dataset has no propensities or positions.
        CheckpointError: There is no run.
    """
    log = _slates(Dataset.open(path), run)
    bundle = bundles.load(run / "bundle")
    known = log["user_id"].isin(bundle.readers.ids) & log["news_id"].isin(bundle.catalogue.ids)
    whole = known.groupby(log["slate_id"]).transform("all")
    kept = log[whole].sort_values(["slate_id", "position"])
    if kept.empty:
        raise DataError.at(path, f"no slate has a reader and news that {run} knows")
    length = int(kept.groupby("slate_id").size().min())
    shown = kept[kept["position"] <= length]
    shape = (shown["slate_id"].nunique(), length)
    weights = _policy(log, shown, bundle, settings, shape) / _column(shown, "propensity", shape)
    clicks = _column(shown, "clicked", shape)
    readers = shown["user_id"].to_numpy().reshape(shape)[:, 0]
    return _result(weights, clicks, readers, rng) | {
        "slates": shape[0],
        "slates_left_out": int(log["slate_id"].nunique() - shape[0]),
    }


def _result(
    weights: Float[np.ndarray, "slates length"],
    clicks: Float[np.ndarray, "slates length"],
    readers: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Overlap of the worst position, estimates and what to believe."""
    places = [overlap(column, limit=float(np.quantile(column, 0.99))) for column in weights.T]
    found: Overlap = min(places, key=lambda place: place.effective_sample_size)
    estimates = battery.slate(clicks, weights, readers, rng=rng)
    logged = mean_interval(clicks.sum(axis=1), readers, rng=rng)
    return {
        "overlap": asdict(found) | {"is_sufficient": found.is_sufficient},
        "estimates": [asdict(estimate) for estimate in estimates],
        "advice": _advice(found, estimates),
        "unit": "clicks a slate",
        "logging_policy": asdict(logged),
        "on_policy": None,
    }


def _advice(found: Overlap, estimates: list[Estimate]) -> list[str]:
    said = [
        "Item-position estimates take what stands above as given and fit readers who examine "
        "places by themselves; rips fits readers who go from top to bottom; slate-ips assumes "
        "nothing and needs most data."
    ]
    if not found.is_sufficient:
        said.append("Overlap is short at some place: prefer item-position-snips, and its interval.")
    weak = [row.estimator for row in estimates if row.effective_sample_size < MIN_EFFECTIVE]
    if weak:
        said.append(
            f"Fewer than {MIN_EFFECTIVE} effective slates, not to be used: {', '.join(weak)}."
        )
    return said


def _slates(dataset: Dataset, run: Path) -> pd.DataFrame:
    """Impressions with position and propensity, of held-out slates where the run says which."""
    columns = ["slate_id", "user_id", "time", "news_id", "position", "clicked", "propensity"]
    log = dataset.impressions[columns]
    if log["propensity"].isna().all() or (log["position"] == 0).all():
        raise DataError.at(dataset.path, "impressions: expected logged positions and propensities")
    if not run.is_dir():
        raise CheckpointError(f"{run}: expected a folder written by `recsys train`")
    if (run / EVALUATED).exists():
        held_out = pd.read_parquet(run / EVALUATED, columns=["slate_id"])["slate_id"]
        log = log[log["slate_id"].isin(held_out)]
    return log


def _policy(
    log: pd.DataFrame,
    shown: pd.DataFrame,
    bundle: Bundle,
    settings: RunPolicyConfig,
    shape: tuple[int, int],
) -> Float[np.ndarray, "slates length"]:
    """Probability that the run fills each place as the log did, given the places above."""
    catalogue = pd.Index(bundle.catalogue.ids)
    first, last = _alive(log, catalogue)
    reader = (
        pd.Index(bundle.readers.ids).get_indexer(pd.Index(shown["user_id"])).reshape(shape)[:, 0]
    )
    news = catalogue.get_indexer(pd.Index(shown["news_id"])).reshape(shape)
    time = _seconds(shown["time"]).reshape(shape)[:, 0]
    chances = np.empty(shape)
    for start in range(0, shape[0], BLOCK):
        block = slice(start, start + BLOCK)
        alive = (first <= time[block, None]) & (last >= time[block, None])
        np.put_along_axis(alive, news[block], True, axis=1)
        vectors = bundle.readers.vectors[reader[block]].astype(np.float32)
        scores = vectors @ bundle.catalogue.vectors.astype(np.float32).T
        chances[block] = _chances(scores, alive, news[block], settings)
    return chances


def _alive(
    log: pd.DataFrame, catalogue: pd.Index
) -> tuple[Int[np.ndarray, " items"], Int[np.ndarray, " items"]]:
    """When the log first and last showed each news: it could be shown between."""
    spans = pd.Series(_seconds(log["time"])).groupby(log["news_id"].to_numpy()).agg(["min", "max"])
    found = spans.reindex(catalogue)
    return found["min"].fillna(1).to_numpy(np.int64), found["max"].fillna(0).to_numpy(np.int64)


def _seconds(times: "pd.Series[Any]") -> Int[np.ndarray, " rows"]:
    """Seconds since the epoch of times in UTC."""
    return times.dt.tz_convert(None).to_numpy("datetime64[s]").astype(np.int64)


def _chances(
    scores: Float[np.ndarray, "slates items"],
    alive: Bool[np.ndarray, "slates items"],
    news: Int[np.ndarray, "slates length"],
    settings: RunPolicyConfig,
) -> Float[np.ndarray, "slates length"]:
    count = alive.sum(axis=1, keepdims=True)
    mean = np.where(alive, scores, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(alive, (scores - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    logits = (scores - mean) / np.maximum(spread, 1e-9) / settings.temperature
    powers = np.where(alive, np.exp(logits - logits.max(axis=1, keepdims=True)), 0.0)
    share = powers / powers.sum(axis=1, keepdims=True)
    share = (1 - settings.explore) * share + settings.explore * alive / count
    chosen = np.take_along_axis(share, news, axis=1)
    above = np.cumsum(chosen, axis=1) - chosen
    return chosen / (1 - above)


def _column(
    shown: pd.DataFrame, name: str, shape: tuple[int, int]
) -> Float[np.ndarray, "slates length"]:
    return shown[name].to_numpy(float).reshape(shape)
