"""Where tables become tensors: one sample a click or a reader, each distinct news once."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt

from recsys.config import Config
from recsys.data.reading_log import ReadingLog
from recsys.errors import ConfigError
from recsys.model.batch import Batch
from recsys.training.corpus import Corpus
from recsys.training.events import Events, events

SMALLEST_BATCH = 64
"""Samples a step, however small a log is."""


class LoaderConfig(Config):
    """What a click is compared with, and how many are learned from at once."""

    sample: Literal["clicks", "readers"] = "clicks"
    """clicks: find each click, given those before it. readers: find a random half of a reader's
    clicks, given the others; for tastes without an order."""
    batch_size: PositiveInt = 256
    """Samples a step, at most."""
    least_steps: NonNegativeInt = 0
    """Steps an epoch: a log too small for as many is learned from in smaller batches, of 64 samples
    at least. What is charged moves a little in each step."""
    audience: NonNegativeInt = 512
    """Readers a step, drawn from all, over whom groups are balanced; none where nothing is
    believed of them."""
    slate_negatives: NonNegativeInt = 4
    """News of the same slate that were not clicked, drawn for each click."""
    catalogue_negatives: NonNegativeInt = 0
    """News drawn from all that training may see, shared by a batch; at or above their number,
    all of them."""
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of news of a batch whose id is hidden, so that a news without one is understood."""


class Samples(NamedTuple):
    """Whose interest is learned, from which news, by finding which others."""

    readers: Int[np.ndarray, " batch"]
    history: Int[np.ndarray, "batch length"]
    history_mask: Bool[np.ndarray, "batch length"]
    candidates: Int[np.ndarray, "batch slate"]
    candidate_mask: Bool[np.ndarray, "batch slate"]
    clicks: Float[np.ndarray, "batch slate"]
    weights: Float[np.ndarray, "batch slate"]


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
        self._learners, ends = training_ends(corpus)
        self._end = np.zeros(len(corpus.log.user_ids), dtype=np.int64)
        self._end[self._learners] = ends
        by_click = config.sample == "clicks"
        self._draw = self._by_click if by_click else self._by_reader
        self._units = corpus.split.train if by_click else self._learners
        if corpus.imputed and not by_click:
            raise ConfigError("counterfactual.estimator: dr needs loader.sample = clicks")

    @property
    def per_epoch(self) -> int:
        """Samples of an epoch, with what is imputed beside clicks."""
        imputed = self._corpus.imputed
        return len(self._units) + (imputed.per_epoch if imputed else 0)

    @property
    def batch_size(self) -> int:
        """Samples a step; the last of an epoch may have fewer."""
        enough = max(SMALLEST_BATCH, self.per_epoch // max(1, self._config.least_steps))
        return min(self._config.batch_size, enough)

    def __len__(self) -> int:
        """Count the steps of an epoch."""
        return -(-self.per_epoch // self.batch_size)

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield an epoch's batches from ``first_step`` on."""
        rng = np.random.default_rng([self._seed, number])
        order = rng.permutation(self._epoch_units(rng))
        size = self.batch_size
        for step in range(first_step, len(self)):
            chunk = order[step * size : (step + 1) * size]
            yield self._batch(chunk, np.random.default_rng([self._seed, number, step]))

    def _epoch_units(self, rng: np.random.Generator) -> np.ndarray:
        """List an epoch's units, with a draw of what is imputed."""
        imputed = self._corpus.imputed
        if imputed is None:
            return self._units
        return np.concatenate([self._units, len(self._corpus.log.clicks.news) + imputed.draw(rng)])

    def _batch(self, units: np.ndarray, rng: np.random.Generator) -> Batch:
        corpus, samples = self._corpus, self._draw(units, rng)
        negatives, listeners = self._draw_catalogue(rng), self._draw_audience(rng)
        audience, audience_mask = histories(
            corpus.log, listeners, self._end[listeners], self._max_history
        )
        rows, history, candidates, negatives, audience = together(
            samples.history, samples.candidates, negatives, audience
        )
        features = corpus.news.take(torch.from_numpy(rows))
        hidden = torch.from_numpy(rng.random(len(rows)) < self._config.id_dropout)
        readers = samples.readers
        return Batch(
            news=features._replace(ids=features.ids.masked_fill(hidden, 0)),
            history=torch.from_numpy(history),
            history_mask=torch.from_numpy(samples.history_mask),
            candidates=torch.from_numpy(candidates),
            candidate_mask=torch.from_numpy(samples.candidate_mask),
            clicks=torch.from_numpy(samples.clicks),
            weights=torch.from_numpy(samples.weights),
            negatives=torch.from_numpy(negatives),
            attributes=torch.from_numpy(corpus.attributes.labels[readers]),
            known=torch.from_numpy(corpus.attributes.known[readers]),
            audience=torch.from_numpy(audience),
            audience_mask=torch.from_numpy(audience_mask),
            beliefs=torch.from_numpy(corpus.beliefs[listeners]),
            readers=torch.from_numpy(readers),
        )

    def _by_click(self, units: np.ndarray, rng: np.random.Generator) -> Samples:
        """Find each click, or imputed news, among its slate's, given the clicks before it."""
        log, chosen = self._corpus.log, Events(*(column[units] for column in self._events))
        history, history_mask = histories(log, chosen.reader, chosen.history_end, self._max_history)
        missed, missed_mask = self._draw_missed(chosen.slate, rng)
        missed_mask = missed_mask & (missed != chosen.news[:, None])  # an imputed one is among them
        candidates = np.column_stack([chosen.news, missed])
        first = np.zeros(candidates.shape, dtype=np.float32)
        first[:, 0] = 1
        return Samples(
            readers=chosen.reader,
            history=history,
            history_mask=history_mask,
            candidates=candidates,
            candidate_mask=np.column_stack([np.ones(len(units), dtype=bool), missed_mask]),
            clicks=first,
            weights=first * chosen.weight[:, None],
        )

    def _by_reader(self, readers: np.ndarray, rng: np.random.Generator) -> Samples:
        """Find a random half of each reader's clicks, or more of very many, given the others.

        A click weighs the same whosever it is: weights are scaled to one click a reader.
        """
        log = self._corpus.log
        start = log.clicks.offsets[readers][:, None]
        size = self._end[readers][:, None] - start
        at = start + np.minimum(np.arange(size.max()), size - 1)
        real = np.arange(size.max()) < size
        shown = rng.random(at.shape) < np.minimum(0.5, self._max_history / size)
        history, history_mask = pack(at, real & shown)
        found, found_mask = pack(at, real & ~shown)
        clicks = found_mask.astype(np.float32)
        weights = clicks * log.shown.weights[log.clicks.impression[found]]
        return Samples(
            readers=readers,
            history=log.clicks.news[history],
            history_mask=history_mask,
            candidates=log.clicks.news[found],
            candidate_mask=found_mask,
            clicks=clicks,
            weights=weights * np.float32(len(readers) / max(1.0, clicks.sum())),
        )

    def _draw_audience(self, rng: np.random.Generator) -> np.ndarray:
        """Draw readers whose vectors stand for everybody's; none if nothing is believed of them."""
        wanted = min(self._config.audience, len(self._learners))
        if not self._corpus.groups:
            wanted = 0
        return rng.choice(self._learners, wanted, replace=False)

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


def pack(
    values: Int[np.ndarray, "rows length"], wanted: Bool[np.ndarray, "rows length"]
) -> tuple[Int[np.ndarray, "rows width"], Bool[np.ndarray, "rows width"]]:
    """Move each row's wanted values to its front, in their order; mask what stands behind.

    The width is that of the longest row there is, at least 1; padding repeats a row's own values.
    """
    width = max(1, int(wanted.sum(axis=1).max(initial=1)))
    order = np.argsort(~wanted, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(values, order, 1), np.take_along_axis(wanted, order, 1)


def training_ends(
    corpus: Corpus,
) -> tuple[Int[np.ndarray, " readers"], Int[np.ndarray, " readers"]]:
    """List the readers with clicks to learn from, and where the last of these lies."""
    train = corpus.split.train
    readers = corpus.log.reader_of_click[train]
    last = np.flatnonzero(np.append(readers[1:] != readers[:-1], True))
    return readers[last], train[last] + 1


def together(*parts: np.ndarray) -> tuple[np.ndarray, ...]:
    """List the distinct news of several arrays, then each array as rows of that list."""
    distinct, rows = np.unique(np.concatenate([p.ravel() for p in parts]), return_inverse=True)
    ends = np.cumsum([part.size for part in parts])[:-1]
    pieces = np.split(rows, ends)
    return distinct, *(piece.reshape(part.shape) for piece, part in zip(pieces, parts, strict=True))
