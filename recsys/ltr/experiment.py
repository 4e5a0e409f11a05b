"""One method, trained once in one world, and what became of it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt

from recsys.config import Config
from recsys.data.queries import Queries
from recsys.evaluation import ir
from recsys.ltr import gbdt
from recsys.ltr.batches import Source
from recsys.ltr.gbdt import TreeConfig
from recsys.ltr.loop import LoopConfig, train
from recsys.ltr.methods import METHODS, Setup
from recsys.ltr.rankers import Ranker, score

Scorer = Callable[[np.ndarray], np.ndarray]


class TrainingConfig(Config):
    """The ranker and how it is trained."""

    hidden: tuple[PositiveInt, ...] = (64, 32)
    """Widths of the ranker's hidden layers; empty: linear."""
    max_weight: float = Field(default=20.0, ge=1)
    """Largest inverse propensity, relative to the first position."""
    loop: LoopConfig = LoopConfig()
    trees: TreeConfig = TreeConfig()
    checks: PositiveInt = 8
    """Points of the learning curve."""


@dataclass(frozen=True)
class Contest:
    """What a method is given: sessions to learn from, queries to be judged on."""

    source: Source
    dim: int
    """Features of a document."""
    length: int
    """Positions of a list."""
    watched: Queries
    """Queries of the learning curve, if they have labels; nothing is chosen by them."""
    known_examination: Float[np.ndarray, " length"] | None = None
    estimated_examination: Float[np.ndarray, " length"] | None = None


@dataclass(frozen=True)
class Outcome:
    """A trained ranker and what was seen on the way."""

    method: str
    seed: int
    score: Scorer
    examination: Float[np.ndarray, " length"] | None
    """As learned, 1 at the first position; None for methods without one."""
    seconds: float
    curve: list[tuple[int, float]] = field(default_factory=list)
    """Sessions seen and nDCG@10 on the watched queries."""


def check(contest: Contest, methods: Iterable[str], settings: TrainingConfig) -> None:
    """Refuse a method before any is trained.

    Raises:
        ConfigError: It needs what the data do not have.
    """
    batch = next(contest.source.batches(1, np.random.default_rng(0)))
    for method in methods:
        if method in gbdt.KINDS:
            gbdt.labels(batch, method)
        else:
            METHODS[method](_setup(contest, settings)).loss(batch)


def run(
    contest: Contest,
    method: str,
    settings: TrainingConfig,
    seed: int,
    watch: Callable[[int], None] = lambda step: None,
) -> Outcome:
    """Train one method with one seed; the same seed gives the same ranker.

    Args:
        contest: Data.
        method: A key of ``METHODS`` or one of ``gbdt.KINDS``.
        settings: Ranker and training.
        seed: Of weights, clicks and order.
        watch: Called with the number of steps done.

    Raises:
        ConfigError: The method needs what the data do not have.
    """
    started = time.perf_counter()
    rng = np.random.default_rng([seed, 1])
    batches = contest.source.batches(settings.loop.batch_size, rng)
    if method in gbdt.KINDS:
        available = contest.source.num_sessions
        trees = gbdt.train(batches, settings.trees, kind=method, seed=seed, available=available)
        return Outcome(method, seed, trees.score, None, time.perf_counter() - started)
    torch.manual_seed(seed)
    learner = METHODS[method](_setup(contest, settings))
    curve: list[tuple[int, float]] = []
    every = max(1, settings.loop.steps // settings.checks)

    def look(step: int) -> None:
        if contest.watched.labels is not None and step % every == 0:
            curve.append((step * settings.loop.batch_size, ndcg(learner.ranker, contest.watched)))
        watch(step)

    train(learner, batches, settings.loop, look)
    examination = learner.examination()
    return Outcome(
        method,
        seed,
        lambda features: score(learner.ranker, features),
        None if examination is None else examination.numpy().astype(float),
        time.perf_counter() - started,
        curve,
    )


def ndcg(ranker: torch.nn.Module, queries: Queries) -> float:
    """Mean nDCG@10 over queries that have something relevant; NaN if none has."""
    ranked = ir.rank(score(ranker, queries.features), queries.grades, queries.offsets)
    values = ir.ndcg(ranked, 10)[ranked.has_relevant]
    return float(values.mean()) if len(values) else float("nan")


def judge(scorer: Scorer, queries: Queries) -> dict[str, Float[np.ndarray, " queries"]]:
    """Every metric of every query; NaN for queries without a relevant document."""
    ranked = ir.rank(scorer(queries.features), queries.grades, queries.offsets)
    return {
        name: np.where(ranked.has_relevant, metric(ranked), np.nan)
        for name, metric in ir.METRICS.items()
    }


def _setup(contest: Contest, settings: TrainingConfig) -> Setup:
    known, estimated = (
        None if curve is None else torch.from_numpy(np.asarray(curve, dtype=np.float32))
        for curve in (contest.known_examination, contest.estimated_examination)
    )
    ranker = Ranker(contest.dim, settings.hidden)
    return Setup(ranker, contest.length, settings.max_weight, known, estimated)
