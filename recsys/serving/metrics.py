"""What the service counts, as Prometheus metrics. Knows neither gRPC nor torch.

Exposure is counted as readers meet it: the news at place i of a slate gets 1 / log2(1 + i) (the
discount of DCG; Singh and Joachims, 2018, doi:10.1145/3219819.3220088, use it as exposure), and
its category and its provider get the sum. Labels never name a reader.
"""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from wsgiref.simple_server import WSGIServer

import numpy as np
from jaxtyping import Int64
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)

from recsys.errors import AddressInUse

LATENCY_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAX_LABELS = 200
"""Categories (and providers) that are counted by name; the rarer ones are counted as "other"."""


class Metrics:
    """Every metric of one serving process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Calls answered.", "method", "code")
        self.seconds = Histogram(
            "recsys_request_seconds",
            "Time from a call's arrival to its answer.",
            ("method",),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.rungs = self._counter("rungs", "Slates by the rung they were ranked on.", "rung")
        self.batch = Histogram(
            "recsys_batch_size",
            "Requests computed together.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.queue = Gauge("recsys_queue_length", "Requests waiting.", registry=self.registry)
        self.shed = self._counter("shed", "Calls refused because the queue was full.")
        self.swaps = self._counter("swaps", "Attempts to load another version.", "outcome")
        self.live = Gauge(
            "recsys_live_version_info",
            "1 for the version that answers.",
            ("version", "space", "audit_verdict"),
            registry=self.registry,
        )
        self.store_failures = self._counter("store_failures", "Failed look-ups.", "reason")
        self.exposure = self._counter(
            "exposure", "Place-discounted exposure given, 1 / log2(1 + place).", "kind", "value"
        )
        self.impressions = self._counter("reported_impressions", "Impressions taken by Report.")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"recsys_{name}", text, labels, registry=self.registry)

    @contextmanager
    def timed(self, method: str) -> Iterator[Callable[[str], None]]:
        """Count one call and its time; the block says its status code by the function given."""
        code = ["OK"]
        start = time.perf_counter()
        try:
            yield lambda name: code.__setitem__(0, name)
        finally:
            self.seconds.labels(method).observe(time.perf_counter() - start)
            self.requests.labels(method, code[0]).inc()


class ExposureCounter:
    """Adds the slates of one version to the exposure of its categories and providers."""

    def __init__(self, counter: Counter, **columns: Sequence[str]) -> None:
        """Code every column, ``kind=[value of each catalogue row]``, once."""
        self._columns = []
        for kind, values in columns.items():
            names, codes = _coded(values)
            self._columns.append(([counter.labels(kind, name) for name in names], codes))

    def add(self, slates: Iterable[Int64[np.ndarray, " places"]]) -> None:
        """Count slates given as catalogue rows, best first."""
        slates = [rows for rows in slates if len(rows)]
        if not slates:
            return
        rows = np.concatenate(slates)
        places = np.concatenate([np.arange(1, len(rows) + 1) for rows in slates])
        exposure = 1 / np.log2(1 + places)
        for counters, codes in self._columns:
            sums = np.bincount(codes[rows], weights=exposure).tolist()
            for counter, given in zip(counters, sums, strict=False):
                if given:
                    counter.inc(given)


def _coded(values: Sequence[str]) -> tuple[list[str], Int64[np.ndarray, " rows"]]:
    """Give the commonest values a code each; the last code is "other", empty is "unknown"."""
    names = [value for value, _ in Tally(values).most_common(MAX_LABELS)]
    code_of = {value: code for code, value in enumerate(names)}
    codes = np.fromiter((code_of.get(v, len(names)) for v in values), np.int64, len(values))
    return [name or "unknown" for name in names] + ["other"], codes


@contextmanager
def page(metrics: Metrics, host: str, port: int | None) -> Iterator[int | None]:
    """Serve ``/metrics`` over HTTP from a thread while the block runs; gives the bound port.

    Raises:
        AddressInUse: The port is taken.
    """
    if port is None:
        yield None
        return
    server: WSGIServer
    try:
        server, thread = start_http_server(port, host, registry=metrics.registry)
    except OSError as error:
        raise AddressInUse(
            f"metrics port {host}:{port}: {error.strerror}; choose another with --metrics-port"
        ) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
