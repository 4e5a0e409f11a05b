"""The value of a run of our own on the dataset it was trained on, if that has propensities.

The policy: of the news alive at the time, those the reader has not clicked yet, each place is
filled by a draw in proportion to ``(1 - explore) * softmax(score / temperature) + explore / n``,
scores standardised within what is alive. A reader's vector is encoded from what was clicked before
the slate, as the service does for a request that brings a history; without a click all scores are
alike. Its propensities given the places above are exact, and the logged ones are of the same kind,
so that products down the slate are weights of whole slates.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from pydantic import Field, PositiveInt
from scipy.special import log_softmax, logsumexp

from pipelines.auditing.evidence import Run
from pipelines.auditing.questions import HeldOut, held_out
from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.data.reading_log import Shown, in_order
from recsys.data.splits import history_ends
from recsys.errors import DataError
from recsys.evaluation import battery
from recsys.evaluation.battery import Estimate
from recsys.evaluation.bootstrap import mean_interval
from recsys.evaluation.overlap import MIN_EFFECTIVE, Overlap, overlap

BLOCK = 1_000
"""Slates scored at a time."""
CLIP_QUANTILE = 0.99
"""Quantile of the weights at which overlap is told what clipping would take."""


class RunPolicyConfig(Config):
    """How a run chooses what to show."""

    temperature: float = Field(1.0, gt=0)
    """Of the softmax over standardised scores; towards 0 the best alone is shown."""
    explore: float = Field(0.1, ge=0, le=1)
    """Share of uniform chance."""
    places: PositiveInt = 3
    """How many places of a slate, from the first, are asked about: weights are products down the
    slate, so that each place more leaves less of the log to go by."""


@dataclass(frozen=True)
class Logged:
    """What the first places of slates showed, in order.

    Where a slate is shorter it has news -1, propensity 1 and no click: its weight stays as it is.
    """

    slates: Int[np.ndarray, " slates"]
    """Rows of the reading log's slates."""
    news: Int[np.ndarray, "slates length"]
    propensities: Float[np.ndarray, "slates length"]
    clicked: Float[np.ndarray, "slates length"]
    left_out: int
    """Slates without a position or a propensity at every place."""


def evaluate(
    path: Path, run: Path, settings: RunPolicyConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """Estimate what a run would have earned, in clicks at the first places of a slate.

    Every slate of that time counts, with a click or without. Slates that lack propensities are
    left out and counted.

    Raises:
        DataError: The dataset has no propensities or positions, or is not the run's; or the run
            held out clicks instead of slates.
        CheckpointError: There is no run, or it is damaged.
    """
    dataset = Dataset.open(path)
    _check(dataset)
    trained = Run.load(run, dataset)
    if trained.split.protocol != "slates":
        raise DataError.at(
            run,
            f"was trained with split.protocol={trained.split.protocol}, so that it learned from "
            "slates of all times; expected split.protocol=slates",
        )
    held = held_out(trained, dataset)
    logged = _logged(dataset.impressions, held.log.shown, held.slates, settings.places)
    if not len(logged.slates):
        raise DataError.at(path, "no slate of the test has propensities at all of its positions")
    weights = _policy(trained, held, logged, settings) / logged.propensities
    readers = held.log.shown.reader[logged.slates]
    return _result(weights, logged.clicked, readers, rng) | {
        "slates": len(logged.slates),
        "slates_left_out": logged.left_out,
    }


def _result(
    weights: Float[np.ndarray, "slates length"],
    clicks: Float[np.ndarray, "slates length"],
    readers: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Overlap of the products of weights at their worst place, estimates and what to believe."""
    through = weights.cumprod(axis=1)
    places = [
        overlap(column, limit=float(np.quantile(column, CLIP_QUANTILE))) for column in through.T
    ]
    found: Overlap = min(places, key=lambda place: place.effective_sample_size)
    estimates = battery.slate(clicks, weights, readers, rng=rng)
    logged = mean_interval(clicks.sum(axis=1), readers, rng=rng)
    advice = _advice(estimates, float(np.ptp(clicks)) * clicks.shape[1])
    return summed_up(found, estimates, advice) | {
        "unit": f"clicks in the first {clicks.shape[1]} places of a slate",
        "logging_policy": asdict(logged),
        "on_policy": None,
    }


def summed_up(found: Overlap, estimates: list[Estimate], advice: list[str]) -> dict[str, Any]:
    """Overlap, estimates and advice as the JSON has them, whatever the log."""
    return {
        "overlap": asdict(found) | {"is_sufficient": found.is_sufficient},
        "estimates": [asdict(estimate) for estimate in estimates],
        "advice": advice,
    }


def _advice(estimates: list[Estimate], extent: float) -> list[str]:
    said = [
        "rips and self-normalised-rips are the value if no click depends on the places below it, "
        "as where readers go from top to bottom; slate-ips assumes nothing and needs most data."
    ]
    weak = [row.estimator for row in estimates if row.effective_sample_size < MIN_EFFECTIVE]
    if weak:
        said.append(
            f"Fewer than {MIN_EFFECTIVE} effective slates, not to be used: {', '.join(weak)}. The "
            "log hardly shows the slates of this run."
        )
    else:
        said.append("Prefer self-normalised-rips, and read its interval.")
    return said + battery.unidentified(estimates, extent)


def _check(dataset: Dataset) -> None:
    log = dataset.impressions
    if log["propensity"].isna().all() or (log["position"] == 0).all():
        raise DataError.at(dataset.path, "impressions: expected logged positions and propensities")


def _logged(
    impressions: pd.DataFrame, shown: Shown, slates: Int[np.ndarray, " slates"], places: int
) -> Logged:
    """Cut what slates showed to the first ``places``, or to the longest slate if none has them."""
    columns = ["position", "clicked", "propensity"]
    log = in_order(impressions)[columns].reset_index(drop=True)
    log["slate"] = np.repeat(np.arange(len(shown.reader)), np.diff(shown.offsets))
    log["news"] = shown.news
    log = log[log["slate"].isin(slates)].sort_values(["slate", "position"])
    place = log.groupby("slate").cumcount() + 1
    told = (log["position"] == place) & log["propensity"].notna()
    whole = log[told.groupby(log["slate"]).transform("all")]
    kept = whole[whole["position"] <= places]
    found, row = np.unique(kept["slate"], return_inverse=True)
    cell = row, kept["position"].to_numpy() - 1
    length = cell[1].max(initial=-1) + 1

    def matrix(name: str, missing: int, dtype: type) -> np.ndarray:
        table = np.full((len(found), length), missing, dtype)
        table[cell] = kept[name].to_numpy(dtype)
        return table

    return Logged(
        found,
        matrix("news", -1, np.int64),
        matrix("propensity", 1, np.float64),
        matrix("clicked", 0, np.float64),
        left_out=len(slates) - len(found),
    )


def _policy(
    run: Run, held: HeldOut, logged: Logged, settings: RunPolicyConfig
) -> Float[np.ndarray, "slates length"]:
    """Probability that the run fills each place as the log did, given the places above.

    1 where a slate has no such place.
    """
    shown, clicks = held.log.shown, held.log.clicks
    first, last = _alive(shown, len(held.log.news_ids))
    start, end = clicks.offsets[shown.reader], history_ends(held.log)
    news = run.bundle.catalogue.vectors.astype(np.float32).T
    chances = np.empty(logged.news.shape)
    for at in range(0, len(logged.slates), BLOCK):
        block = slice(at, at + BLOCK)
        slates, places = logged.slates[block], logged.news[block]
        histories = [clicks.news[start[slate] : end[slate]] for slate in slates]
        time = shown.time[slates, None]
        alive = (first <= time) & (last >= time)
        for index, clicked in enumerate(histories):
            alive[index, clicked] = False
        row, place = np.nonzero(places >= 0)
        alive[row, places[row, place]] = True
        scores = (run.encode(histories).astype(np.float32) @ news).astype(float)
        chances[block] = _chances(scores, alive, places, settings)
    return chances


def _alive(
    shown: Shown, num_news: int
) -> tuple[Int[np.ndarray, " items"], Int[np.ndarray, " items"]]:
    """When each news could be shown: from its first showing until a mean gap after its last.

    The gap matters at the log's end, where every news has been shown for the last time: without
    it, a news would be alive there because it was shown, which no policy can know.
    """
    time = np.repeat(shown.time, np.diff(shown.offsets))
    first = np.full(num_news, np.iinfo(np.int64).max)
    last = np.full(num_news, np.iinfo(np.int64).min)
    np.minimum.at(first, shown.news, time)
    np.maximum.at(last, shown.news, time)
    gaps = np.maximum(np.bincount(shown.news, minlength=num_news) - 1, 1)
    return first, np.where(last > first, last + (last - first) // gaps, last)


def _chances(
    scores: Float[np.ndarray, "slates items"],
    alive: Bool[np.ndarray, "slates items"],
    news: Int[np.ndarray, "slates length"],
    settings: RunPolicyConfig,
) -> Float[np.ndarray, "slates length"]:
    """Place by place, of what is left: in logarithms, since next to the best the rest may be 0.

    A place without news (-1) has the chance 1.
    """
    count = alive.sum(axis=1, keepdims=True)
    mean = np.where(alive, scores, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(alive, (scores - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    logits = (scores - mean) / np.maximum(spread, 1e-9) / settings.temperature
    taste = log_softmax(np.where(alive, logits, -np.inf), axis=1)
    with np.errstate(divide="ignore"):  # without exploration, or with nothing else
        left = np.logaddexp(np.log1p(-settings.explore) + taste, np.log(settings.explore / count))
    left[~alive] = -np.inf
    chances = np.ones(news.shape)
    for place, column in enumerate(news.T):
        row = np.flatnonzero(column >= 0)
        chosen = column[row]
        chances[row, place] = np.exp(left[row, chosen] - logsumexp(left[row], axis=1))
        left[row, chosen] = -np.inf
    return chances
