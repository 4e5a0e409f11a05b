"""Dynamic batching: many small requests in, a few full batches out.

Knows neither gRPC nor torch: it is given a blocking function from a list to a list.

While one batch is computed the next one gathers by itself, so under load batches fill without
anybody waiting for them, and a request that finds the service idle is computed at once. Waiting
longer than that is a setting, off by default.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from pydantic import Field

from recsys.config import Config
from recsys.errors import Overloaded

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Batch = dict[asyncio.Future[Sequence[Reply]], Sequence[Request]]  # each group by its future


class BatcherConfig(Config):
    """How long a request may wait for company, and how many may wait."""

    max_batch: int = Field(64, ge=1)
    """Requests a batch, at most; a larger group is a batch of its own."""
    max_wait_ms: float = Field(0.0, ge=0)
    """Longest a batch that has company stays open for more; a lone request never waits."""
    max_queue: int = Field(1024, ge=1)
    """Requests waiting; one more is refused."""


class Batcher(Generic[Request, Reply]):
    """Runs ``compute`` on its own thread, one batch at a time, first come first served.

    A group submitted together is computed together. A request whose caller has gone before its
    turn is never computed.
    """

    def __init__(
        self, compute: Callable[[Sequence[Request]], Sequence[Reply]], config: BatcherConfig
    ) -> None:
        self._compute = compute
        self._config = config
        self._queue: OrderedDict[asyncio.Future[Sequence[Reply]], Sequence[Request]] = OrderedDict()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batcher")

    @property
    def waiting(self) -> int:
        """Requests in the queue, those being computed not included."""
        return self._waiting

    async def submit(self, group: Sequence[Request]) -> Sequence[Reply]:
        """Queue a group and wait for its replies, in its order.

        Raises:
            Overloaded: The group does not fit behind those that wait already.
        """
        if self._waiting and self._waiting + len(group) > self._config.max_queue:
            raise Overloaded(f"{self._waiting} requests are waiting; retry later")
        future: asyncio.Future[Sequence[Reply]] = asyncio.get_running_loop().create_future()
        self._queue[future] = group
        self._waiting += len(group)
        self._arrived.set()
        try:
            return await future
        finally:
            if self._queue.pop(future, None) is not None:  # the caller has gone
                self._waiting -= len(group)

    async def run(self) -> None:
        """Serve batches until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                batch = await self._next_batch()
                if not batch:  # all callers have gone
                    continue
                requests = [request for group in batch.values() for request in group]
                try:
                    replies = await loop.run_in_executor(self._thread, self._compute, requests)
                except Exception as error:  # whatever it was, the callers must hear of it
                    _fail(batch, error)
                else:
                    _answer(batch, replies)
        finally:
            self._thread.shutdown(wait=False)

    async def _next_batch(self) -> Batch[Reply, Request]:
        """Wait for a first group; then, when it has company, for more until full or late.

        Groups whose callers have gone meanwhile are left out, perhaps all.
        """
        batch = await self._first()
        if not self._config.max_wait_ms or len(batch) == 1:
            return batch
        try:
            async with asyncio.timeout(self._config.max_wait_ms / 1000):
                while self._take(batch):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        return {future: group for future, group in batch.items() if not future.done()}

    async def _first(self) -> Batch[Reply, Request]:
        batch: Batch[Reply, Request] = {}
        while not batch:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            self._take(batch)
        return batch

    def _take(self, batch: Batch[Reply, Request]) -> bool:
        """Move groups from the queue into a batch; return whether there is room for more."""
        size = sum(map(len, batch.values()))
        while self._queue:
            future, group = next(iter(self._queue.items()))
            if batch and size + len(group) > self._config.max_batch:
                return False
            del self._queue[future]
            self._waiting -= len(group)
            if not future.done():
                batch[future] = group
                size += len(group)
        return size < self._config.max_batch


def _fail(batch: Batch[Reply, Request], error: Exception) -> None:
    for future in batch:
        if not future.done():
            future.set_exception(error)


def _answer(batch: Batch[Reply, Request], replies: Sequence[Reply]) -> None:
    start = 0
    for future, group in batch.items():
        if not future.done():  # the caller may have gone meanwhile
            future.set_result(replies[start : start + len(group)])
        start += len(group)
