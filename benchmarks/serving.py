"""How many rankings a second one serving process answers over gRPC, and how soon.

The real command (its own process, Redis in another, 20 000 news, 10 000 readers, 64 numbers a
vector) is asked for the best 10 of 100 candidates by concurrent callers. The limit, in the same
run, is a gRPC aio service that is sent the same requests and returns a ready answer of the same
size: what is left when nothing is checked, looked up, scored, hidden or counted.

``ratio`` is ours over the limit's, in requests a second. Rounds alternate; the median one counts.
Processor time a request is told besides: unlike the rate, it hardly depends on what else runs.
"""

import argparse
import asyncio
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import numpy as np
import psutil
import torch
from safetensors.torch import save

from pipelines import publish as publishing
from recsys.model.user_encoder import UserEncoder
from recsys.ranker import bundle as bundles
from recsys.rpc.v1 import ranking_pb2, ranking_pb2_grpc
from recsys.store.connect import open_store
from recsys.types import NewsId, UserId

NUM_NEWS, NUM_READERS, DIM, NUM_CLICKS = 20_000, 10_000, 64, 30
NUM_CANDIDATES, K = 100, 10


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=32, help="concurrent requests")
    parser.add_argument("--seconds", type=float, default=4, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--echo", action="store_true", help="be the limit's server")
    options = parser.parse_args()
    if options.echo:
        asyncio.run(echo())
        return
    with tempfile.TemporaryDirectory() as folder:
        url = f"embedded://{folder}/store"
        publish(url)
        command = ("serve", "--redis", url, "--port", "0", "--device", options.device)
        with (
            started("-m", "pipelines.cli", *command) as ranker,
            started(__file__, "--echo") as echoing,
        ):
            print(json.dumps(asyncio.run(compare(ranker, echoing, options)), indent=2))


@dataclass(frozen=True)
class Server:
    """A process that answers."""

    address: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far."""
        return float(sum(self.process.cpu_times()[:2]))


@dataclass(frozen=True)
class Round:
    """What one server did in one round."""

    rate: float
    """Requests a second."""
    cpu_ms: float
    """Of the server, a request."""
    seconds: np.ndarray
    """Of each request, as its caller saw it."""


async def compare(
    ranker: Server, echoing: Server, options: argparse.Namespace
) -> dict[str, object]:
    """Let both answer in turn, and a lone caller at the end."""
    load = options.callers, options.seconds
    await asks(ranker, options.callers, 1)
    rounds = [
        (await asks(ranker, *load), await asks(echoing, *load)) for _ in range(options.rounds)
    ]
    alone = await asks(ranker, 1, options.seconds)
    rates = [[one.rate for one in side] for side in zip(*rounds, strict=True)]
    found = [statistics.median(side) for side in rates]
    spent = np.concatenate([ranked.seconds for ranked, _ in rounds])
    return {
        "name": "serving",
        "ratio": found[0] / found[1],
        "unit": "requests a second, ours over the limit's",
        "peer": "gRPC aio service that echoes messages of the same size",
        "requests_per_second": found[0],
        "limit_requests_per_second": found[1],
        "ratios": [ours / theirs for ours, theirs in zip(*rates, strict=True)],
        "cpu_ms_per_request": statistics.median(ranked.cpu_ms for ranked, _ in rounds),
        "limit_cpu_ms_per_request": statistics.median(echoed.cpu_ms for _, echoed in rounds),
        "p50_ms": float(np.percentile(spent, 50) * 1e3),
        "p99_ms": float(np.percentile(spent, 99) * 1e3),
        "lone_caller_p50_ms": float(np.percentile(alone.seconds, 50) * 1e3),
        "lone_caller_p99_ms": float(np.percentile(alone.seconds, 99) * 1e3),
        "settings": {
            "callers": options.callers,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "device": options.device,
            "news": NUM_NEWS,
            "readers": NUM_READERS,
            "dim": DIM,
            "candidates": NUM_CANDIDATES,
            "k": K,
        },
    }


async def asks(server: Server, callers: int, seconds: float) -> Round:
    """Keep ``callers`` requests in flight for some seconds."""
    requests = itertools.cycle(questions(512))
    spent: list[float] = []
    async with grpc.aio.insecure_channel(server.address) as channel:
        rank = ranking_pb2_grpc.RankingServiceStub(channel).Rank
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while (start := time.perf_counter()) < end:
                answer = await rank(next(requests))
                assert len(answer.news_ids) == K
                spent.append(time.perf_counter() - start)

        start, cpu = time.perf_counter(), server.cpu_seconds()
        await asyncio.gather(*[caller() for _ in range(callers)])
        rate = len(spent) / (time.perf_counter() - start)
        cpu_ms = (server.cpu_seconds() - cpu) / len(spent) * 1e3
    return Round(rate, cpu_ms, np.array(spent))


def questions(count: int) -> list[ranking_pb2.RankRequest]:
    """Different readers with different candidates."""
    rng = np.random.default_rng(1)
    return [
        ranking_pb2.RankRequest(
            user_id=f"U{rng.integers(NUM_READERS)}",
            candidate_ids=[
                f"N{row}" for row in rng.choice(NUM_NEWS, NUM_CANDIDATES, replace=False)
            ],
            k=K,
        )
        for _ in range(count)
    ]


class Echo(ranking_pb2_grpc.RankingServiceServicer):
    """Answers without looking."""

    def __init__(self) -> None:
        self._answer = ranking_pb2.RankResponse(
            news_ids=[f"N{row}" for row in range(10_000, 10_000 + K)],
            scores=[0.5] * K,
            propensities=[1.0] * K,
            model_version="20260501T030000-1a2b3c4d",
            rung=ranking_pb2.RUNG_CACHED,
            slate_id="0" * 32,
        )

    async def Rank(
        self, request: ranking_pb2.RankRequest, context: grpc.aio.ServicerContext
    ) -> ranking_pb2.RankResponse:
        """Return the ready answer."""
        return self._answer


async def echo() -> None:
    """Serve the limit until killed."""
    server = grpc.aio.server()
    ranking_pb2_grpc.add_RankingServiceServicer_to_server(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.wait_for_termination()


@contextmanager
def started(*arguments: str) -> Iterator[Server]:
    """Run a server in a process of its own until the block ends."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = next((line for line in process.stderr if "ready on" in line), "")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield Server(re.findall(r"ready on (\S+:\d+)", said)[0], psutil.Process(process.pid))
        finally:
            process.terminate()


def publish(url: str) -> None:
    """Put a random model of the benchmark's size into the store."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    weights = save(UserEncoder(DIM, heads=4, hidden=32).state_dict())
    news = bundles.Catalogue(
        ids=[NewsId(f"N{row}") for row in range(NUM_NEWS)],
        vectors=rng.normal(size=(NUM_NEWS, DIM)).astype(np.float16),
        read_vectors=rng.normal(size=(NUM_NEWS, DIM)).astype(np.float16),
        categories=[f"category {row % 18}" for row in range(NUM_NEWS)],
        providers=[f"provider {row % 50}" for row in range(NUM_NEWS)],
        published_at=np.arange(1, NUM_NEWS + 1),
        popularity=rng.random(NUM_NEWS, np.float32),
    )
    digest = bundles.model_hash(news, weights)
    manifest = bundles.Manifest(
        model_hash=digest,
        space=digest,
        dim=DIM,
        num_news=NUM_NEWS,
        num_readers=NUM_READERS,
        max_history=50,
        user_encoder={"heads": 4, "hidden": 32},
        created_at=datetime(2026, 5, 1, 3, tzinfo=UTC),
    )
    readers = bundles.Readers(
        ids=[UserId(f"U{row}") for row in range(NUM_READERS)],
        vectors=rng.normal(size=(NUM_READERS, DIM)).astype(np.float16),
        clicks=rng.integers(NUM_NEWS, size=NUM_READERS * NUM_CLICKS, dtype=np.int32),
        offsets=np.arange(NUM_READERS + 1) * NUM_CLICKS,
    )
    bundle = bundles.Bundle(manifest, news, readers, weights)
    store = open_store(url)
    publishing.publish(bundle, store, verdict="", keep=1, activate=True)
    store.close()


if __name__ == "__main__":
    main()
