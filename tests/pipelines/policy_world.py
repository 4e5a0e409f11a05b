"""A simulated world and a run on it that was not trained, so that its policy's value is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import save

from pipelines.simulate import simulate
from recsys.data.dataset import Dataset
from recsys.data.splits import SplitConfig, read_and_split
from recsys.model.user_encoder import UserEncoder
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle, Readers
from recsys.ranker.ranker import Ranker
from recsys.simulation.config import WorldConfig
from recsys.simulation.truth import Truth
from tests.ranker import worlds

WORLD = WorldConfig(readers=700, news=200, days=4, slates_per_reader=20, seed=3)


@dataclass(frozen=True)
class World:
    dataset: Path
    run: Path


def build(folder: Path) -> World:
    """News are where they truly are, and a reader is the mean of what was clicked."""
    dataset = simulate(folder / "data", WORLD)
    log, parts = read_and_split(dataset, SplitConfig(), seed=0)
    truth = Truth.load(dataset.path)
    points = truth.points[truth.news.get_indexer(pd.Index(log.news_ids))]
    news = worlds.catalogue(points, ids=log.news_ids)
    shape = {"kind": "profile", "heads": 1, "hidden": 1}
    weights = save(UserEncoder(points.shape[1], **shape).state_dict())
    manifest = worlds.manifest(news, weights, num_readers=len(log.user_ids), max_history=100)
    manifest = manifest.model_copy(update={"user_encoder": shape})
    offsets = log.clicks.offsets.astype(np.int64)
    clicked = [
        log.clicks.news[slice(*ends)].tolist() for ends in np.stack([offsets[:-1], offsets[1:]], 1)
    ]
    vectors = Ranker.load(news, manifest, weights).encode(clicked)
    readers = Readers(log.user_ids, vectors, log.clicks.news.astype(np.int32), offsets)
    run = folder / "run"
    bundles.save(Bundle(manifest, news, readers, weights), run / "bundle")
    (run / "offline").mkdir()
    roles = {"user_id": log.user_ids, "attribute_role": "audit"}
    pd.DataFrame(roles).to_parquet(run / "offline" / "readers.parquet")
    events = {
        "user_id": np.array(log.user_ids, object)[parts.test.reader],
        "slate_id": log.shown.ids[parts.test.slate],
        "ndcg@10": 0.5,
        "popularity_ndcg@10": 0.5,
    }
    pd.DataFrame(events).to_parquet(run / "offline" / "evaluation.parquet")
    (run / "config.toml").write_text("seed = 0\n")
    return World(dataset.path, run)


def slates_of_test(dataset: Dataset) -> pd.DataFrame:
    """The last tenth of the slates by time, place by place."""
    log = dataset.impressions.sort_values(["time", "slate_id", "position"])
    slates = log["slate_id"].unique()
    return log[log["slate_id"].isin(slates[round(0.9 * len(slates)) :])]


def true_values(world: World, *, places: int, explore: float, draws: int) -> tuple[float, float]:
    """Clicks in a slate's first places, log's policy and run's, by what readers truly like.

    Again from the docstring, a slate at a time; what is alive is what truly was.
    """
    dataset, bundle = Dataset.open(world.dataset), bundles.load(world.run / "bundle")
    truth, rng = Truth.load(world.dataset), np.random.default_rng(0)
    ranker = Ranker.load(bundle.catalogue, bundle.manifest, bundle.encoder)
    lives = pd.read_parquet(world.dataset / "truth" / "news.parquet").set_index("news_id")
    lives = lives.loc[list(bundle.catalogue.ids)]
    begin, end = (lives[name].array for name in ("live_from", "live_until"))
    vectors, users = bundle.catalogue.vectors.astype(np.float32), bundle.readers.ids
    relevance = truth.relevance_table(users, bundle.catalogue.ids)
    relevance_to = dict(zip(users, relevance, strict=True))
    log = slates_of_test(dataset).assign(row=lambda log: log["news_id"].map(ranker.row_of))
    slates = log.groupby("slate_id").agg({"user_id": "first", "time": "first", "row": list})
    histories = _clicked_before(dataset, slates, ranker.row_of)
    encoded = ranker.encode(histories).astype(np.float32)
    logged, ours = [], []
    for slate, rows, reader in zip(slates.itertuples(), histories, encoded, strict=True):
        relevance = relevance_to[slate.user_id]
        logged.append(relevance[slate.row[:places]] @ truth.examination[:places])
        free = (begin <= slate.time) & (slate.time <= end)
        free[rows] = False
        free = np.flatnonzero(free)
        scores = vectors[free] @ reader
        powers = np.exp((scores - scores.mean()) / max(scores.std(), 1e-9))
        share = (1 - explore) * powers / powers.sum() + explore / len(free)
        arrival = rng.standard_exponential((draws, len(free))) / share
        drawn = free[arrival.argsort(axis=1)[:, :places]]
        ours.append((relevance[drawn] @ truth.examination[:places]).mean())
    return float(np.mean(logged)), float(np.mean(ours))


def _clicked_before(
    dataset: Dataset, slates: pd.DataFrame, row_of: Mapping[str, int]
) -> list[list[int]]:
    """Catalogue rows of what the reader of each slate had clicked before it, oldest first."""
    clicks = dataset.impressions[dataset.impressions["clicked"]].sort_values("time")
    clicked = {user: (own["time"], own["news_id"]) for user, own in clicks.groupby("user_id")}
    nothing = clicks["time"].iloc[:0], clicks["news_id"].iloc[:0]
    found = []
    for slate in slates.itertuples():
        times, news = clicked.get(slate.user_id, nothing)
        found.append([row_of[one] for one in news.iloc[: times.searchsorted(slate.time)]])
    return found
