"""Builds the real things, binds the port, and stops without dropping a request."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import numpy as np
import torch
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from recsys.errors import AddressInUse
from recsys.ranker.ranker import Ranker, RankerConfig
from recsys.rpc.v1 import feedback_pb2_grpc, model_pb2_grpc, ranking_pb2_grpc
from recsys.serving import loading
from recsys.serving.application import Application, Ask, Slate
from recsys.serving.batcher import Batcher, BatcherConfig
from recsys.serving.live import LiveModel
from recsys.serving.lookup import Lookup
from recsys.serving.metrics import Metrics, page
from recsys.serving.security import BearerToken, server_credentials
from recsys.serving.service import FeedbackService, ModelService, RankingService
from recsys.serving.settings import ServeSettings
from recsys.store.base import Store, VersionMeta
from recsys.store.connect import without_password

MAX_REQUEST_BYTES = 1 << 20
MAX_RESPONSE_BYTES = 4 << 20  # what gRPC clients take unless told otherwise
RANKING = "recsys.rpc.v1.RankingService"
FEEDBACK = "recsys.rpc.v1.FeedbackService"
MODEL = "recsys.rpc.v1.ModelService"


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    address: str
    """``HOST:PORT`` as bound."""
    metrics_port: int | None
    live: LiveModel
    metrics: Metrics


def run(settings: ServeSettings, store: Store, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` is told what a person wants to know.

    Raises:
        AddressInUse: The port, or the metrics port, is taken.
        ConfigError: The device is not there, or a TLS file cannot be read.
    """
    torch.set_num_threads(settings.threads)
    asyncio.run(_until_signalled(settings, store, announce))


async def _until_signalled(
    settings: ServeSettings, store: Store, announce: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings, store) as server:
        async with _background(_announce(server, settings, announce)):
            await stop.wait()
        announce(f"stopping; requests in flight have {settings.grace_seconds:g} s")


async def _announce(
    server: Running, settings: ServeSettings, announce: Callable[[str], None]
) -> None:
    await server.live.refresh()
    if server.live.model is None:
        announce(
            f"listening on {server.address}; waiting, because no version answers yet: "
            f"recsys publish RUN --redis {without_password(settings.redis)}"
        )
    model = await server.live.loaded()
    announce(f"ready on {server.address} with version {model.meta.version}")


@asynccontextmanager
async def running(settings: ServeSettings, store: Store) -> AsyncIterator[Running]:
    """Listen while the block runs and follow the live version; then let calls in flight finish.

    Raises:
        AddressInUse: The port, or the metrics port, is taken.
        ConfigError: The device is not there, or a TLS file cannot be read.
    """
    metrics, checks, server = Metrics(), health.aio.HealthServicer(), _server(settings)
    live = LiveModel(store, _loader(settings), metrics, partial(_show_health, checks))
    lookup = Lookup(store, metrics, patience_seconds=settings.store_wait_ms / 1000)
    app = Application(live, lookup, metrics, np.random.default_rng(settings.seed))
    batcher = Batcher[Ask, Slate](app.rank, _batching(settings))
    metrics.queue.set_function(lambda: batcher.waiting)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    _register(
        server,
        RankingService(batcher.submit, metrics),
        FeedbackService(store, metrics),
        ModelService(store, live, metrics),
    )
    async with AsyncExitStack() as stack:
        metrics_port = stack.enter_context(
            page(metrics, settings.metrics_host, settings.metrics_port)
        )
        address = _bind(server, settings)
        stack.callback(lookup.close)
        await stack.enter_async_context(_background(batcher.run()))
        await _show_health(checks, live)
        await server.start()
        stack.push_async_callback(server.stop, settings.grace_seconds)
        stack.push_async_callback(checks.enter_graceful_shutdown)
        await stack.enter_async_context(_background(live.follow(settings.poll_seconds)))
        yield Running(address, metrics_port, live, metrics)


def _loader(settings: ServeSettings) -> Callable[[Store, VersionMeta], Ranker]:
    return partial(
        loading.load,
        device=loading.device(settings.device),
        config=RankerConfig(explore=settings.explore, precision=settings.precision),
    )


def _batching(settings: ServeSettings) -> BatcherConfig:
    return BatcherConfig(
        max_batch=settings.max_batch,
        max_wait_ms=settings.max_wait_ms,
        max_queue=settings.max_queue,
    )


def _server(settings: ServeSettings) -> grpc.aio.Server:
    token = settings.token
    return grpc.aio.server(
        interceptors=[BearerToken(token.get_secret_value())] if token else [],
        options=[
            ("grpc.so_reuseport", int(settings.reuse_port)),
            ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
            ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
        ],
    )


def _register(
    server: grpc.aio.Server, ranking: RankingService, feedback: FeedbackService, model: ModelService
) -> None:
    ranking_pb2_grpc.add_RankingServiceServicer_to_server(ranking, server)
    feedback_pb2_grpc.add_FeedbackServiceServicer_to_server(feedback, server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    names = (RANKING, FEEDBACK, MODEL, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)


def _bind(server: grpc.aio.Server, settings: ServeSettings) -> str:
    credentials = server_credentials(settings)
    _check_free(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        if credentials is None:
            port = server.add_insecure_port(f"{host}:{settings.port}")
        else:
            port = server.add_secure_port(f"{host}:{settings.port}", credentials)
    except RuntimeError as error:
        raise AddressInUse(f"{host}:{settings.port}: {error}") from None
    return f"{host}:{port}"


def _check_free(settings: ServeSettings) -> None:
    """Bind for a moment: gRPC, unlike the socket, does not say why it cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    where = (settings.host, settings.port)
    try:
        socket.create_server(where, family=family, reuse_port=settings.reuse_port).close()
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise AddressInUse(
            f"cannot listen on {settings.host}:{settings.port}: {reason}; "
            "choose another with --host or --port"
        ) from None


async def _show_health(checks: health.aio.HealthServicer, live: LiveModel) -> None:
    """Readiness by service; the overall "" stays SERVING for as long as the process lives."""
    up, down = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    await checks.set(RANKING, up if live.model else down)
    for name in (FEEDBACK, MODEL):
        await checks.set(name, up if live.store_answers else down)


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something beside the block; a block that ends cancels it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
