"""What the store knows of the readers of a batch; keeps answering when the store is lost.

A ranking without the store is a popular one: worse than a personal one and far better than none.
It says so itself, by its rung.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from recsys.errors import SpaceMismatch, StoreUnavailable
from recsys.serving.metrics import Metrics
from recsys.store.base import Store, VersionMeta
from recsys.types import NewsId, ServedVectors, UserId

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""A store that did not answer is left alone for so long, and batches do without it at once."""


@dataclass(frozen=True)
class Known:
    """What the store says of some readers; those it does not name are unknown to it."""

    vectors: Mapping[UserId, ServedVectors]
    """Bias-free vectors, ``[1, dim]``."""
    histories: Mapping[UserId, list[NewsId]]
    """Clicks, oldest first."""
    withheld: frozenset[UserId]
    """Never to be served personally: erased readers, and everyone while the store is lost,
    because then nobody can say who was erased."""


class Lookup:
    """Asks the store for many readers at once."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask ``store``, and do without it when it has not answered after ``patience_seconds``."""
        self._store = store
        self._metrics = metrics
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._retry_at = float("-inf")
        # More than one thread, because one that hangs stays busy until its socket times out.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lookup")

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def readers(self, meta: VersionMeta, users: Sequence[UserId]) -> Known:
        """Return what is known of distinct readers. Never raises for a store that is lost."""
        if not users:
            return Known({}, {}, frozenset())
        if self._clock() < self._retry_at:
            return Known({}, {}, frozenset(users))
        try:
            answer = self._threads.submit(self._ask, meta, users)
            return answer.result(self._patience_seconds)
        except (StoreUnavailable, TimeoutError) as error:
            self._retry_at = self._clock() + RETRY_SECONDS
            self._metrics.store_failures.labels("unavailable").inc()
            log.warning("store lost, ranking without it: %s", str(error) or "no answer in time")
            return Known({}, {}, frozenset(users))

    def _ask(self, meta: VersionMeta, users: Sequence[UserId]) -> Known:
        erased = self._store.is_forgotten(users)
        present = [user for user, gone in zip(users, erased, strict=True) if not gone]
        withheld = frozenset(user for user, gone in zip(users, erased, strict=True) if gone)
        return Known(self._vectors(meta, present), self._store.histories(present), withheld)

    def _vectors(
        self, meta: VersionMeta, users: Sequence[UserId]
    ) -> Mapping[UserId, ServedVectors]:
        """Fetch all at once; when one is of another space, one by one, without the refused."""
        try:
            return self._store.vectors(meta, users)
        except SpaceMismatch as error:
            self._metrics.store_failures.labels("space_mismatch").inc()
            if len(users) > 1:
                return {u: v for user in users for u, v in self._vectors(meta, [user]).items()}
            log.error("vector refused, its reader is ranked from clicks: %s", error)
            return {}
