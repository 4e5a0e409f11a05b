"""The one loop that trains a rating recommender, whatever the objective."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from recsys.config import Config
from recsys.errors import DataError
from recsys.training.ratings.objectives import Batch


class LoopConfig(Config):
    """How long and how fast to learn."""

    max_epochs: PositiveInt = 60
    """Passes over the observed ratings."""
    patience: PositiveInt = 60
    """Epochs without a better validation score before stopping; the best epoch is kept."""
    batch: PositiveInt = 2048
    """Observed ratings a step."""
    whole: PositiveInt = 2
    """Pairs of the whole drawn for each observed one."""
    lr: PositiveFloat = 0.05
    """Adam's, falling to zero along a cosine."""


@dataclass(frozen=True)
class Ratings:
    """Observed ratings as labels, with what each weighs."""

    readers: Int64[Tensor, " observed"]
    news: Int64[Tensor, " observed"]
    labels: Float[Tensor, " observed"]
    """0 or 1."""
    weights: Float[Tensor, " observed"]
    """Above 0 and finite; only their ratios matter."""

    def __post_init__(self) -> None:
        if not len(self.labels):
            raise DataError("ratings: expected at least one observed rating, found none")
        if not bool((torch.isfinite(self.weights) & (self.weights > 0)).all()):
            raise DataError("ratings: weights must be above 0 and finite")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Bool[Tensor, " observed"]) -> "Ratings":
        """Keep the ratings marked in ``rows``."""
        parts = (self.readers, self.news, self.labels, self.weights)
        return Ratings(*(part[rows] for part in parts))

    def weighted(self, weights: Float[Tensor, " observed"]) -> "Ratings":
        """Take other weights, scaled to mean 1."""
        return replace(self, weights=weights / weights.mean())


Score = Callable[[], float]
"""Measures the recommender being trained; larger is better."""
Reweigh = Callable[[int], Float[Tensor, " observed"] | None]
"""Given the epoch (from 0), new weights for it, or None to keep those there are."""


@dataclass(frozen=True)
class Trained:
    """How training went; the objective holds the weights of its best epoch."""

    best_epoch: int
    """From 1."""
    scores: list[float]
    """After each epoch; empty without a score."""


class Loop:
    """Trains an objective in place, and keeps its best epoch.

    Args:
        config: Epochs, batch and learning rate.
        shape: Numbers of readers and news: the whole.
        generator: Order of the ratings and the pairs of the whole; on the ratings' device.
    """

    def __init__(
        self, config: LoopConfig, shape: tuple[int, int], generator: torch.Generator
    ) -> None:
        self.config, self.shape, self.generator = config, shape, generator

    def fit(
        self,
        objective: nn.Module,
        ratings: Ratings,
        score: Score | None = None,
        reweigh: Reweigh | None = None,
    ) -> Trained:
        """Train ``objective``, which maps a :class:`Batch` to a scalar, with all its parameters.

        Without a score, every epoch is run and the last one kept.
        """
        optimiser = torch.optim.Adam(objective.parameters(), lr=self.config.lr)
        steps = self.config.max_epochs * -(-len(ratings) // self.config.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        ratings = ratings.weighted(ratings.weights)
        scores: list[float] = []
        best, kept = 0, objective.state_dict()
        for epoch in range(self.config.max_epochs):
            weights = reweigh(epoch) if reweigh else None
            ratings = ratings if weights is None else ratings.weighted(weights)
            for batch in _batches(ratings, self):
                optimiser.zero_grad()
                objective(batch).backward()
                optimiser.step()
                schedule.step()
            if score is None:
                best, kept = epoch, objective.state_dict()
                continue
            scores.append(score())
            if scores[-1] > max(scores[:-1], default=-math.inf):
                best, kept = epoch, copy.deepcopy(objective.state_dict())
            if epoch - best >= self.config.patience:
                break
        objective.load_state_dict(kept)
        return Trained(best + 1, scores)


def _batches(ratings: Ratings, loop: Loop) -> Iterator[Batch]:
    """Shuffle the observed; draw the pairs of the whole afresh."""
    device, generator = ratings.labels.device, loop.generator
    order = torch.randperm(len(ratings), generator=generator, device=device)
    for rows in order.split(loop.config.batch):
        size = (loop.config.whole * len(rows),)
        readers, news = (
            torch.randint(count, size, generator=generator, device=device) for count in loop.shape
        )
        yield Batch(
            ratings.readers[rows],
            ratings.news[rows],
            ratings.labels[rows],
            ratings.weights[rows],
            readers,
            news,
        )
