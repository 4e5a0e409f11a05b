"""`recsys serve`: answer over gRPC with the live version of a store."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import err
from recsys.serving.server import run
from recsys.serving.settings import ServeSettings
from recsys.store.connect import open_store

STORE_SECONDS = 5.0
"""Longest wait for a store that hangs. Below the default grace: a stop waits for these threads."""


def main(
    redis: Annotated[
        str | None,
        typer.Option(
            help="Store with the published versions: redis://HOST:PORT/DB, or embedded://PATH "
            "for a Redis of our own in that folder. [default: embedded://store]"
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one. [default: 50051]")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 or auto. [default: auto]")
    ] = None,
    explore: Annotated[
        float | None,
        typer.Option(help="Share of places filled at random, for offline evaluation. [default: 0]"),
    ] = None,
    max_batch: Annotated[
        int | None, typer.Option(help="Requests computed together. [default: 64]")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of the Prometheus page. [default: none]")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM certificate; with --tls-key turns TLS on.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="PEM authorities of clients' certificates (mutual TLS).")
    ] = None,
) -> None:
    """Answer Rank requests over gRPC with the version that is live in the store.

    A version that is published or activated while this runs is loaded beside the present one and
    takes over without a pause. Ctrl-C or SIGTERM lets requests in flight finish.

    Every setting can be a variable as well, such as RECSYS_PORT or RECSYS_TOKEN; docs/serving.md
    lists them all.

    Example: recsys serve --redis embedded://store --port 50051 --metrics-port 9100
    """
    settings = ServeSettings.read(
        redis=redis,
        host=host,
        port=port,
        device=device,
        explore=explore,
        max_batch=max_batch,
        metrics_port=metrics_port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_ca=tls_ca,
    )
    store = open_store(settings.redis, timeout_seconds=STORE_SECONDS)
    try:
        run(settings, store, announce=_say)
    finally:
        store.close()


def _say(line: str) -> None:
    err.print(f"recsys serve: {line}")
