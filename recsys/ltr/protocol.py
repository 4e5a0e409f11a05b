r"""The simulation protocol: a poor ranker decides what is shown, a click model what is clicked.

1. A linear ranker is trained on the labels of 1 % of the training queries and orders them all.
2. The first 10 documents of each list are shown. With ``confounding`` the order also knows the
   labels, as that of a well-kept search engine does.
3. A document's appeal is :math:`\epsilon + (1-\epsilon)(2^y-1)/(2^{y_{max}}-1)`; the click model
   does the rest, examination being a measured curve to the power :math:`\eta`.

Ai et al., 2018, arXiv:1804.05938, section 5.1, and ULTRA (their initial ranker is an SVMrank, ours
the linear ranker of this package); every constant is a setting.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from pydantic import Field, NonNegativeFloat, PositiveInt

from recsys.config import Config
from recsys.data.queries import Collection, Queries
from recsys.errors import DataError
from recsys.ltr.batches import SimulatedSource
from recsys.ltr.clicks import trust
from recsys.ltr.clicks.browsing import UserBrowsing
from recsys.ltr.clicks.cascade import Cascade
from recsys.ltr.clicks.dynamic import DynamicBayesian
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.clicks.sessions import ClickModel
from recsys.ltr.loop import LoopConfig, train
from recsys.ltr.methods.listwise import TrueLabels
from recsys.ltr.methods.method import Setup
from recsys.ltr.rankers import Ranker, score
from recsys.simulation.clicks import EXAMINATION

MAX_FEATURE = 10.0
"""Standardised features are cut here: one freak value shall not decide a ranking."""


class Protocol(Config):
    """Constants of the simulation."""

    positions: PositiveInt = 10
    """Documents shown."""
    clicks: Literal["position", "trust", "cascade", "dynamic", "browsing"] = "position"
    """The click model that readers follow."""
    eta: NonNegativeFloat = 1.0
    """Severity of position bias: the power of the examination curve."""
    noise: float = Field(default=0.1, ge=0, le=1)
    """Chance to click an examined document of grade 0."""
    examination: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=EXAMINATION, min_length=1
    )
    """Examination of each position at eta 1."""
    label_share: float = Field(default=0.01, gt=0, le=1)
    """Share of the training queries whose labels the initial ranker sees."""
    confounding: float = 0.0
    """Grades added to the standardised score of the initial ranker when it orders the lists."""
    continuation: float = Field(default=0.9, ge=0, le=1)
    """Dynamic model: chance to go on when not satisfied."""
    satisfaction: float = Field(default=0.7, ge=0, le=1)
    """Dynamic model: chance that a click satisfies, times the document's appeal."""
    randomised_sessions: PositiveInt = 100_000
    """Sessions with shuffled lists from which ips-estimated and prs learn examination."""


@dataclass(frozen=True)
class World:
    """What the methods compete in: sessions to learn from and queries to be tested on."""

    source: SimulatedSource
    validation: Queries
    test: Queries
    known_examination: Float[np.ndarray, " length"] | None
    """None where it depends on what is shown."""
    estimated_examination: Float[np.ndarray, " length"]
    initial: Float32[np.ndarray, " documents"]
    """The initial ranker's scores of the test documents."""


def prepare(collection: Collection, protocol: Protocol, seed: int) -> World:
    """Standardise, train the initial ranker, lay out the lists and set up the click model.

    Raises:
        DataError: The collection has no labels, nothing relevant to train on, or no test queries.
    """
    collection = standardised(collection)
    train_split, test = (_labelled(collection, name) for name in ("train", "test"))
    rng = np.random.default_rng(seed)
    ranker = initial_ranker(train_split, protocol, rng, seed)
    appeal = _appeal(train_split, protocol)
    shown, mask = lists(train_split, _logging_scores(ranker, train_split, protocol), protocol)
    model = click_model(protocol, appeal)
    source = SimulatedSource(train_split.features, shown, mask, appeal, model)
    randomised = source.sample(protocol.randomised_sessions, rng, shuffled=True)
    rate = randomised.by_position(randomised.clicks.astype(float))
    return World(
        source,
        collection.splits.get("validation", test),
        test,
        _known(model, source, rng),
        np.maximum(rate, 1e-4) / max(rate[0], 1e-4),
        score(ranker, test.features),
    )


def standardised(collection: Collection) -> Collection:
    """Shift and scale features by their mean and deviation over the training documents."""
    features = collection.splits["train"].features
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = 1 / np.where(deviation > 1e-6, deviation, 1.0)
    splits = {}
    for name, part in collection.splits.items():
        moved = np.clip((part.features - mean) * scale, -MAX_FEATURE, MAX_FEATURE)
        moved = np.ascontiguousarray(moved, dtype=np.float32)
        splits[name] = Queries(part.ids, part.offsets, moved, part.labels, part.buckets)
    return Collection(splits, collection.log)


def initial_ranker(
    queries: Queries, protocol: Protocol, rng: np.random.Generator, seed: int
) -> Ranker:
    """Train a linear ranker on the labels of a few queries, those without relevance left out."""
    total = np.add.reduceat(queries.grades, queries.offsets[:-1])
    usable = np.flatnonzero(total > 0)
    if not len(usable):
        raise DataError("train: expected documents with a label above 0, found none")
    count = min(len(usable), max(1, round(protocol.label_share * len(queries))))
    few = queries.select(rng.choice(usable, count, replace=False))
    size = int(np.diff(few.offsets).max())
    whole = protocol.model_copy(update={"positions": size})
    shown, mask = lists(few, np.zeros(len(few.features)), whole)
    appeal = _appeal(few, protocol)
    source = SimulatedSource(few.features, shown, mask, appeal, Cascade())
    torch.manual_seed(seed)
    ranker = Ranker(few.features.shape[1])
    settings = LoopConfig(steps=200, batch_size=32, rate=1e-2)
    train(TrueLabels(Setup(ranker, size, 1.0)), source.batches(32, rng), settings)
    return ranker


def lists(
    queries: Queries, scores: Float[np.ndarray, " documents"], protocol: Protocol
) -> tuple[Int[np.ndarray, "queries length"], Bool[np.ndarray, "queries length"]]:
    """Lay out the first documents of every query by falling score, with a mask of real ones."""
    owner = np.repeat(np.arange(len(queries)), np.diff(queries.offsets))
    order = np.lexsort((-scores, owner))
    rank = np.arange(len(order)) - queries.offsets[owner]
    kept = rank < protocol.positions
    shown = np.zeros((len(queries), protocol.positions), dtype=np.int64)
    mask = np.zeros(shown.shape, dtype=bool)
    shown[owner[kept], rank[kept]] = order[kept]
    mask[owner[kept], rank[kept]] = True
    return shown, mask


def click_model(protocol: Protocol, appeal: Float[np.ndarray, " documents"]) -> ClickModel:
    """Build the click model that the protocol names."""
    base = np.array(protocol.examination)
    beyond = base[-1] * len(base) / np.arange(len(base) + 1, protocol.positions + 1)
    curve = np.concatenate([base, beyond])[: protocol.positions] ** protocol.eta
    after_click = np.linspace(0.5, 1.0, protocol.positions + 1)
    after_click[0] = 1.0
    models: dict[str, ClickModel] = {
        "position": PositionBased(curve),
        "trust": trust.planted(curve),
        "cascade": Cascade(),
        "dynamic": DynamicBayesian(protocol.continuation, protocol.satisfaction * appeal),
        "browsing": UserBrowsing(curve[:, None] * after_click),
    }
    return models[protocol.clicks]


def _labelled(collection: Collection, name: str) -> Queries:
    queries = collection.splits.get(name)
    if queries is None or queries.labels is None:
        raise DataError(f"{name}: expected queries with labels; clicks are simulated from them")
    return queries


def _appeal(queries: Queries, protocol: Protocol) -> Float[np.ndarray, " documents"]:
    gain = np.exp2(queries.grades.astype(float)) - 1
    return protocol.noise + (1 - protocol.noise) * gain / max(gain.max(), 1.0)


def _logging_scores(
    ranker: Ranker, queries: Queries, protocol: Protocol
) -> Float[np.ndarray, " documents"]:
    scores = score(ranker, queries.features).astype(float)
    return scores / (scores.std() + 1e-9) + protocol.confounding * queries.grades


def _known(
    model: ClickModel, source: SimulatedSource, rng: np.random.Generator
) -> Float[np.ndarray, " length"] | None:
    """Examination by position: of what is relevant under trust, the mean over lists in cascades."""
    if isinstance(model, PositionBased):
        return model.examination
    if isinstance(model, trust.TrustBias):
        return model.relevant
    if isinstance(model, Cascade):
        sessions = source.sample(50_000, rng, shuffled=False)
        return sessions.by_position((sessions.last_click() == 0).astype(float))
    return None
