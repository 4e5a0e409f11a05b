"""Gradient-boosted trees on the same sessions: LightGBM's LambdaMART, with its position argument.

Given positions, LightGBM fits a bias for each beside the trees (an additive position model) and
leaves it out when scoring: https://lightgbm.readthedocs.io/en/latest/Advanced-Topics.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

import lightgbm
import numpy as np
from jaxtyping import Float, Float32, Int
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from recsys.config import Config
from recsys.errors import ConfigError
from recsys.ltr.batches import Batch

KINDS = ("gbdt", "gbdt-position", "gbdt-labels")
LABEL_LEVELS = 8
"""Grades that appeal is rounded to, for trees trained on true labels."""


class TreeConfig(Config):
    """How trees are grown."""

    sessions: PositiveInt = 100_000
    """Sessions to learn from at most; each is a query to LightGBM. Those of a log are taken once:
    repeats would pass for documents and make leaves of one."""
    trees: PositiveInt = 150
    leaves: int = Field(default=31, ge=2)
    rate: PositiveFloat = 0.1
    threads: NonNegativeInt = 0
    """0: all cores."""


@dataclass(frozen=True)
class Trees:
    """A trained booster."""

    booster: lightgbm.Booster

    def score(
        self, features: Float32[np.ndarray, "documents dim"]
    ) -> Float[np.ndarray, " documents"]:
        """Score documents."""
        return np.asarray(self.booster.predict(features))


def train(
    batches: Iterator[Batch],
    settings: TreeConfig,
    *,
    kind: str,
    seed: int,
    available: int | None = None,
) -> Trees:
    """Boost trees on sessions from the data path of all methods.

    Args:
        batches: Sessions; as many are taken as ``settings`` say.
        settings: How to grow.
        kind: ``gbdt`` takes clicks for relevance, ``gbdt-position`` fits position bias beside
            them, ``gbdt-labels`` learns from the truth.
        seed: Of LightGBM.
        available: Sessions before any comes again; None: none ever does.
    """
    sessions = settings.sessions if available is None else min(settings.sessions, available)
    features, targets, positions, groups = _rows(batches, sessions, kind)
    data = lightgbm.Dataset(
        features, targets, group=groups, position=positions if kind == "gbdt-position" else None
    )
    parameters = {
        "objective": "lambdarank",
        "num_leaves": settings.leaves,
        "learning_rate": settings.rate,
        "num_threads": settings.threads,
        "label_gain": list(range(LABEL_LEVELS + 1)),
        "deterministic": True,
        "seed": seed,
        "verbosity": -1,
    }
    return Trees(lightgbm.train(parameters, data, num_boost_round=settings.trees))


def labels(batch: Batch, kind: str) -> Int[np.ndarray, "batch slate"]:
    """What trees of a kind learn: clicks, or appeal in the whole grades that LambdaMART wants.

    Raises:
        ConfigError: The data do not know the appeal.
    """
    if kind != "gbdt-labels":
        return batch.clicks.numpy().astype(np.int64)
    if batch.appeal is None:
        raise ConfigError("gbdt-labels: the data have no labels to train on")
    return np.rint(batch.appeal.numpy() * LABEL_LEVELS).astype(np.int64)


def _rows(batches: Iterator[Batch], num_sessions: int, kind: str) -> tuple[np.ndarray, ...]:
    """Features, labels and positions of what was shown, and the size of each session."""
    parts, missing = [], num_sessions
    while missing > 0:
        batch = next(batches)
        mask = batch.mask.numpy()[:missing]
        columns = batch.features.numpy(), labels(batch, kind), batch.positions.numpy()
        parts.append((*(column[:missing][mask] for column in columns), mask.sum(axis=1)))
        missing -= len(mask)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
