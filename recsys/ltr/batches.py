"""The one data path of every algorithm: batches of sessions, simulated or logged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from recsys.ltr.clicks.sessions import ClickModel, Sessions

CHUNK_BATCHES = 64
"""Batches whose clicks are drawn at once."""


@dataclass(frozen=True)
class Batch:
    """Sessions: what was shown where, and what was clicked."""

    features: Float[Tensor, "batch slate dim"]
    clicks: Float[Tensor, "batch slate"]
    positions: Int[Tensor, "batch slate"]
    """From 0."""
    mask: Bool[Tensor, "batch slate"]
    """False: nothing was shown there."""
    appeal: Float[Tensor, "batch slate"] | None = None
    """Probability of a click once examined, where the truth is known."""


class Source(Protocol):
    """Where sessions come from."""

    @property
    def num_sessions(self) -> int | None:
        """Sessions before any comes again; None: none ever does."""

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield batches without end."""


@dataclass(frozen=True)
class SimulatedSource:
    """A list a query, shown again and again; clicks drawn by a click model."""

    features: Float32[np.ndarray, "documents dim"]
    shown: Int[np.ndarray, "queries length"]
    """Documents of each query's list, best position first."""
    mask: Bool[np.ndarray, "queries length"]
    appeal: Float[np.ndarray, " documents"]
    model: ClickModel

    @property
    def num_sessions(self) -> None:
        """None: readers come without end."""

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield batches of queries drawn uniformly, clicks drawn many batches at a time."""
        features = torch.from_numpy(self.features)
        appeal = torch.from_numpy(self.appeal.astype(np.float32))
        positions = torch.arange(self.shown.shape[1]).expand(size, -1)
        while True:
            queries = rng.integers(len(self.shown), size=(CHUNK_BATCHES, size))
            for chosen, clicks in zip(queries, self._clicks(queries, rng), strict=True):
                shown = torch.from_numpy(self.shown[chosen])
                yield Batch(
                    features[shown],
                    torch.from_numpy(clicks),
                    positions,
                    torch.from_numpy(self.mask[chosen]),
                    appeal[shown],
                )

    def sample(self, num_sessions: int, rng: np.random.Generator, *, shuffled: bool) -> Sessions:
        """Draw sessions as a log; ``shuffled`` shows every list in random order.

        Shuffling is the experiment that estimates examination without bias: every document is as
        likely at every position.
        """
        chosen = rng.integers(len(self.shown), size=num_sessions)
        shown, mask = self.shown[chosen], self.mask[chosen]
        if shuffled:
            order = np.argsort(np.where(mask, rng.random(shown.shape), 2.0), axis=1)
            shown = np.take_along_axis(shown, order, axis=1)
        return Sessions(shown, self.model.simulate(self.appeal, shown, rng) & mask, mask)

    def _clicks(
        self, queries: Int[np.ndarray, "batches size"], rng: np.random.Generator
    ) -> Float32[np.ndarray, "batches size length"]:
        flat = queries.ravel()
        clicks = self.model.simulate(self.appeal, self.shown[flat], rng) & self.mask[flat]
        return clicks.reshape(*queries.shape, -1).astype(np.float32)


@dataclass(frozen=True)
class LoggedSource:
    """Sessions as somebody's service logged them, in random order, again and again."""

    features: Float32[np.ndarray, "documents dim"]
    sessions: Sessions
    appeal: Float[np.ndarray, " documents"] | None = None

    @property
    def num_sessions(self) -> int:
        """Sessions in the log."""
        return len(self.sessions.clicks)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield batches; every session once before any comes again. The last may be smaller."""
        features = torch.from_numpy(self.features)
        appeal = None
        if self.appeal is not None:
            appeal = torch.from_numpy(self.appeal.astype(np.float32))
        log = self.sessions
        while True:
            order = rng.permutation(len(log.clicks))
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                shown = torch.from_numpy(log.documents[chosen])
                yield Batch(
                    features[shown],
                    torch.from_numpy(log.clicks[chosen].astype(np.float32)),
                    torch.arange(log.clicks.shape[1]).expand(len(chosen), -1),
                    torch.from_numpy(log.mask[chosen]),
                    None if appeal is None else appeal[shown],
                )
