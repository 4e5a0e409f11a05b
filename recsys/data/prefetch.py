"""Runs one stage of a stream in a thread of its own, so that stages overlap."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
DEPTH = 2


class _End:
    """The stream ended, by an error if there is one."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(items: Iterable[T], depth: int = DEPTH) -> Iterator[T]:
    """Yield ``items`` in order while a thread already makes the next ``depth`` of them.

    An error of theirs is raised here, where it would have been without the thread. When the
    consumer stops early, so does the thread.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stopped), daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        stopped.set()
        _drain(ready)
        thread.join()


def _fill(items: Iterable[T], ready: "queue.Queue[T | _End]", stopped: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            ready.put(item)
            if stopped.is_set():
                return
    except BaseException as error:  # the consumer must hear of whatever it was
        end = _End(error)
    ready.put(end)


def _drain(ready: "queue.Queue[T | _End]") -> None:
    """Make room, so that a thread waiting to put its last item can end."""
    while not ready.empty():
        ready.get_nowait()
