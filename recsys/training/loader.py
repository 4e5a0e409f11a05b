"""Where tables become tensors: one sample a click, each distinct news of a batch once."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Int
from pydantic import Field, NonNegativeInt, PositiveInt

from recsys.config import Config
from recsys.data.reading_log import ReadingLog
from recsys.model.batch import Batch
from recsys.training.corpus import Corpus
from recsys.training.events import Events, events


class LoaderConfig(Config):
    """What a click is compared with, and how many are learned from at once."""

    batch_size: PositiveInt = 256
    """Clicks a step."""
    slate_negatives: NonNegativeInt = 4
    """News of the same slate that were not clicked, drawn for each click."""
    catalogue_negatives: NonNegativeInt = 0
    """News drawn from all that training may see, shared by a batch; at or above their number,
    all of them."""
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of news of a batch whose id is hidden, so that a news without one is understood."""


class Loader:
    """Batches of a log's training clicks; the same seed, epoch and step give the same batch."""

    def __init__(
        self, corpus: Corpus, config: LoaderConfig, *, max_history: int, seed: int
    ) -> None:
        self._corpus, self._config = corpus, config
        self._max_history, self._seed = max_history, seed
        self._events = events(corpus)
        self._missed = np.flatnonzero(~corpus.log.shown.clicked)
        self._missed_offsets = np.searchsorted(self._missed, corpus.log.shown.offsets)
        self._learnable = np.flatnonzero(corpus.news.features.ids.numpy() > 0)

    @property
    def per_epoch(self) -> int:
        """Samples of an epoch: its clicks, and what is imputed beside them."""
        imputed = self._corpus.imputed
        return len(self._corpus.split.train) + (imputed.per_epoch if imputed else 0)

    def __len__(self) -> int:
        """Count the steps of an epoch."""
        return -(-self.per_epoch // self._config.batch_size)

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield an epoch's batches from ``first_step`` on."""
        rng = np.random.default_rng([self._seed, number])
        order = rng.permutation(self._samples(rng))
        for step in range(first_step, len(self)):
            chunk = order[step * self._config.batch_size : (step + 1) * self._config.batch_size]
            yield self._batch(chunk, np.random.default_rng([self._seed, number, step]))

    def _samples(self, rng: np.random.Generator) -> np.ndarray:
        """List an epoch's events: every training click, and a draw of what is imputed."""
        train, imputed = self._corpus.split.train, self._corpus.imputed
        if imputed is None:
            return train
        return np.concatenate([train, len(self._corpus.log.clicks.news) + imputed.draw(rng)])

    def _batch(self, samples: np.ndarray, rng: np.random.Generator) -> Batch:
        log, chosen = self._corpus.log, Events(*(column[samples] for column in self._events))
        readers = chosen.reader
        history, history_mask = histories(log, readers, chosen.history_end, self._max_history)
        missed, missed_mask = self._draw_missed(chosen.slate, rng)
        missed_mask = missed_mask & (missed != chosen.news[:, None])  # an imputed one is among them
        candidates = np.column_stack([chosen.news, missed])
        rows, history, candidates, negatives = together(
            history, candidates, self._draw_catalogue(rng)
        )
        features = self._corpus.news.take(torch.from_numpy(rows))
        hidden = torch.from_numpy(rng.random(len(rows)) < self._config.id_dropout)
        first = np.zeros(candidates.shape, dtype=np.float32)
        first[:, 0] = 1
        return Batch(
            news=features._replace(ids=features.ids.masked_fill(hidden, 0)),
            history=torch.from_numpy(history),
            history_mask=torch.from_numpy(history_mask),
            candidates=torch.from_numpy(candidates),
            candidate_mask=torch.from_numpy(
                np.column_stack([np.ones(len(samples), dtype=bool), missed_mask])
            ),
            clicks=torch.from_numpy(first),
            weights=torch.from_numpy(first * chosen.weight[:, None]),
            negatives=torch.from_numpy(negatives),
            attributes=torch.from_numpy(self._corpus.attributes.labels[readers]),
            known=torch.from_numpy(self._corpus.attributes.known[readers]),
            beliefs=torch.from_numpy(self._corpus.beliefs[readers]),
            readers=torch.from_numpy(readers),
        )

    def _draw_missed(
        self, slates: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw news of each slate that were not clicked, with replacement; mask where all were."""
        first = self._missed_offsets[slates][:, None]
        count = self._missed_offsets[slates + 1][:, None] - first
        draw = rng.random((len(slates), self._config.slate_negatives))
        at = np.minimum(first + (draw * count).astype(np.int64), len(self._missed) - 1)
        found = self._missed[at] if len(self._missed) else np.zeros_like(at)
        return self._corpus.log.shown.news[found], np.broadcast_to(count > 0, draw.shape)

    def _draw_catalogue(self, rng: np.random.Generator) -> np.ndarray:
        if self._config.catalogue_negatives >= len(self._learnable):
            return self._learnable
        return rng.choice(self._learnable, self._config.catalogue_negatives, replace=False)


def histories(
    log: ReadingLog, readers: np.ndarray, ends: np.ndarray, length: int
) -> tuple[Int[np.ndarray, "events length"], Bool[np.ndarray, "events length"]]:
    """Take the newest ``length`` clicks before ``ends`` of each reader, newest last, left-padded.

    The width is that of the longest history there is, at least 1.
    """
    size = np.minimum(ends - log.clicks.offsets[readers], length)
    width = max(1, int(size.max(initial=1)))
    at = ends[:, None] - width + np.arange(width)
    mask = at >= (ends - size)[:, None]
    return log.clicks.news[np.where(mask, at, 0)], mask


def together(*parts: np.ndarray) -> tuple[np.ndarray, ...]:
    """List the distinct news of several arrays, then each array as rows of that list."""
    distinct, rows = np.unique(np.concatenate([p.ravel() for p in parts]), return_inverse=True)
    ends = np.cumsum([part.size for part in parts])[:-1]
    pieces = np.split(rows, ends)
    return distinct, *(piece.reshape(part.shape) for piece, part in zip(pieces, parts, strict=True))
