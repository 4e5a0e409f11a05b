"""From asked to slate: finds each reader's vector, ranks the batch, names the slates.

Knows neither gRPC nor Redis. Runs on the batcher's thread, one batch at a time; every slate of a
batch comes from one version.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float16, Float32

from recsys.errors import ServingError
from recsys.ranker.query import Condition, Query, Ranked
from recsys.serving.live import LiveModel, Model
from recsys.serving.lookup import Known, Lookup
from recsys.serving.metrics import Metrics
from recsys.types import NewsId, UserId, Version


class Rung(Enum):
    """Which way a reader's vector was obtained, from most to least personal."""

    SESSION = 1
    CACHED = 2
    HISTORY = 3
    POPULAR = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, valid."""

    user: UserId
    """Empty: anonymous."""
    session: Sequence[NewsId]
    """Clicks of this session, newest last."""
    candidates: Sequence[NewsId]
    """Empty: the whole catalogue."""
    k: int
    condition: Condition | None
    exclude: Sequence[NewsId]
    hide_seen: bool


@dataclass(frozen=True, slots=True)
class Slate:
    """One answer; entry i of each list belongs to place i + 1."""

    news: list[NewsId]
    scores: Float32[np.ndarray, " places"]
    propensities: Float32[np.ndarray, " places"]
    version: Version
    rung: Rung
    slate_id: str


@dataclass(frozen=True, slots=True)
class _Step:
    """Where a reader stands on the ladder: a vector, or clicks to encode, or neither."""

    rung: Rung
    vector: Float16[np.ndarray, " dim"] | None = None
    clicks: Sequence[int] = ()


POPULAR = _Step(Rung.POPULAR)


class Application:
    """Ranks batches with the version that is live when a batch starts."""

    def __init__(
        self, live: LiveModel, lookup: Lookup, metrics: Metrics, rng: np.random.Generator
    ) -> None:
        self._live = live
        self._lookup = lookup
        self._metrics = metrics
        self._rng = rng

    def rank(self, asks: Sequence[Ask]) -> list[Slate]:
        """Answer a batch, in its order, all from one version.

        Raises:
            ServingError: No version is published yet.
        """
        model = self._live.model
        if model is None:
            raise ServingError("no version is published yet; `recsys publish RUN` makes one live")
        users = list(dict.fromkeys(ask.user for ask in asks if ask.user))
        known = self._lookup.readers(model.meta, users)
        steps = [_step(ask, known, model.ranker.row_of) for ask in asks]
        vectors = _vectors(steps, model)
        queries = [
            _query(ask, vector, known, model.ranker.row_of)
            for ask, vector in zip(asks, vectors, strict=True)
        ]
        ranked = model.ranker.rank(queries, self._rng)
        self._count(steps, ranked, model)
        return [_slate(step, places, model) for step, places in zip(steps, ranked, strict=True)]

    def _count(self, steps: Sequence[_Step], ranked: Sequence[Ranked], model: Model) -> None:
        self._metrics.batch.observe(len(steps))
        for rung, slates in Counter(step.rung for step in steps).items():
            self._metrics.rungs.labels(rung.name.lower()).inc(slates)
        model.exposure.add(places.rows for places in ranked)


def _step(ask: Ask, known: Known, row_of: Mapping[NewsId, int]) -> _Step:
    """Climb down the ladder until something is known of the reader."""
    if ask.user in known.withheld:
        return POPULAR
    if session := _rows(ask.session, row_of):
        return _Step(Rung.SESSION, clicks=session)
    if ask.user in known.vectors:
        return _Step(Rung.CACHED, vector=known.vectors[ask.user][0])
    if clicks := _rows(known.histories.get(ask.user, ()), row_of):
        return _Step(Rung.HISTORY, clicks=clicks)
    return POPULAR


def _vectors(steps: Sequence[_Step], model: Model) -> list[Float16[np.ndarray, " dim"] | None]:
    """Encode all fresh clicks of a batch at once and put each vector where it belongs."""
    fresh = [index for index, step in enumerate(steps) if step.clicks]
    vectors = [step.vector for step in steps]
    if fresh:
        encoded = model.ranker.encode([steps[index].clicks for index in fresh])
        for index, vector in zip(fresh, encoded, strict=True):
            vectors[index] = vector
    return vectors


def _query(
    ask: Ask,
    vector: Float16[np.ndarray, " dim"] | None,
    known: Known,
    row_of: Mapping[NewsId, int],
) -> Query:
    hidden = _rows(ask.exclude, row_of)
    if ask.hide_seen:
        hidden += _rows(ask.session, row_of)
        hidden += _rows(known.histories.get(ask.user, ()), row_of)
    rows = None
    if ask.candidates:
        rows = np.array(_rows(ask.candidates, row_of), np.int64)
    return Query(
        vector=vector,
        rows=rows,
        hidden=np.array(hidden, np.int64),
        k=ask.k,
        condition=ask.condition,
    )


def _rows(ids: Iterable[NewsId], row_of: Mapping[NewsId, int]) -> list[int]:
    """Find the catalogue rows of the news that are in it; the others are left out."""
    return [row for row in map(row_of.get, ids) if row is not None]


def _slate(step: _Step, places: Ranked, model: Model) -> Slate:
    ids = model.ranker.catalogue.ids
    return Slate(
        news=[ids[row] for row in places.rows.tolist()],
        scores=places.scores,
        propensities=places.propensities,
        version=model.meta.version,
        rung=step.rung,
        slate_id=uuid.uuid4().hex,
    )
