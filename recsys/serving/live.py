"""The version that answers now: follows the store's live pointer and swaps without a stall.

The next version is fetched, built and warmed up on a background thread while the present one
answers; the swap is one assignment. Whoever took the present one finishes on it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from recsys.errors import RecsysError, StoreUnavailable, VersionNotFound
from recsys.ranker.ranker import Ranker
from recsys.serving.metrics import ExposureCounter, Metrics
from recsys.store.base import Store, VersionMeta
from recsys.types import Version

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
"""A version that could not be loaded is tried again after so long."""


@dataclass(frozen=True)
class Model:
    """One version, loaded: everything an answer needs comes from here."""

    meta: VersionMeta
    ranker: Ranker
    exposure: ExposureCounter


class LiveModel:
    """Holds the model that answers and replaces it when the live version changes."""

    def __init__(
        self,
        store: Store,
        build: Callable[[Store, VersionMeta], Ranker],
        metrics: Metrics,
        looked: Callable[["LiveModel"], Awaitable[None]] | None = None,
    ) -> None:
        """Hold nothing yet.

        Args:
            store: Says which version is live.
            build: Fetches a version and makes it ready; called on a background thread.
            metrics: Counts swaps.
            looked: Called after every look at the store.
        """
        self._store = store
        self._build = build
        self._metrics = metrics
        self._looked = looked
        self._model: Model | None = None
        self._failed: tuple[VersionMeta, float] | None = None
        self._swapping = asyncio.Lock()
        self._first = asyncio.Event()
        self.store_answers = True
        """Whether the store answered when it was last asked for the live version."""

    @property
    def model(self) -> Model | None:
        """The model that answers now; None until a version is published. Read it once a batch."""
        return self._model

    async def loaded(self) -> Model:
        """Wait until there is a model, and return it."""
        await self._first.wait()
        assert self._model is not None
        return self._model

    async def follow(self, poll_seconds: float) -> None:
        """Look up the live version for ever."""
        while True:
            try:
                await self.refresh()
            except Exception:  # the log hears of it; the next look must happen whatever it was
                log.exception("the live version cannot be looked up; %s", self._remaining())
            await asyncio.sleep(poll_seconds)

    async def refresh(self) -> None:
        """Load the live version if it is another one; on any failure the present one stays."""
        async with self._swapping:
            await self._look()
        if self._looked:
            await self._looked(self)

    async def activate(self, version: Version) -> Model:
        """Load a version, then make it live everywhere, then answer from it.

        Raises:
            VersionNotFound: It is not in the store; nothing was changed.
        """
        async with self._swapping:
            meta = await asyncio.to_thread(self._store.meta, version)
            current = self._model
            loaded = (
                current
                if current and current.meta == meta
                else await asyncio.to_thread(self._load, meta)
            )
            await asyncio.to_thread(self._store.activate, version)
            if loaded is not current:
                self._swap(loaded)
        if self._looked:
            await self._looked(self)
        return loaded

    async def _look(self) -> None:
        meta = await self._published()
        if meta is None or self._is_loaded(meta) or self._failed_lately(meta):
            return
        try:
            self._swap(await asyncio.to_thread(self._load, meta))
        except Exception as error:  # the log hears of it; what answers goes on answering
            self._failed = meta, time.monotonic()
            self._metrics.swaps.labels("failed").inc()
            log.error(
                "%s cannot be loaded: %s; %s",
                meta.version,
                error,
                self._remaining(),
                exc_info=not isinstance(error, RecsysError),
            )

    async def _published(self) -> VersionMeta | None:
        try:
            meta = await asyncio.to_thread(lambda: self._store.meta(self._store.live()))
        except VersionNotFound:
            self.store_answers = True
            return None
        except StoreUnavailable as error:
            if self.store_answers:
                log.warning("store lost: %s; %s", error, self._remaining())
            self.store_answers = False
            return None
        if not self.store_answers:
            log.info("store found again")
        self.store_answers = True
        return meta

    def _is_loaded(self, meta: VersionMeta) -> bool:
        return self._model is not None and self._model.meta == meta

    def _failed_lately(self, meta: VersionMeta) -> bool:
        if self._failed is None or self._failed[0] != meta:
            return False
        return time.monotonic() - self._failed[1] < RETRY_SECONDS

    def _load(self, meta: VersionMeta) -> Model:
        ranker = self._build(self._store, meta)
        catalogue = ranker.catalogue
        counter = self._metrics.exposure
        exposure = ExposureCounter(
            counter, category=catalogue.categories, provider=catalogue.providers
        )
        return Model(meta, ranker, exposure)

    def _swap(self, model: Model) -> None:
        before = self._model
        self._model = model
        self._failed = None
        self._first.set()
        meta = model.meta
        self._metrics.swaps.labels("done").inc()
        self._metrics.live.clear()
        self._metrics.live.labels(meta.version, meta.space, meta.audit_verdict).set(1)
        log.info("%s answers%s", meta.version, f", {before.meta.version} rests" if before else "")

    def _remaining(self) -> str:
        return f"{self._model.meta.version} stays" if self._model else "no version answers yet"
