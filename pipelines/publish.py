"""`recsys publish`: put a run's bundle into the store and make it live."""

import json as json_reader
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pipelines.console import emit, err, out, progress
from pipelines.versions import DEFAULT_STORE
from recsys.errors import CheckpointError, Refused
from recsys.fairness.attackers import ATTACKERS
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle, Manifest, Readers
from recsys.ranker.ranker import Ranker
from recsys.store.base import Store, VersionMeta
from recsys.store.connect import open_store, without_password
from recsys.types import NewsId, ServedVectors, Space, UserId, Version

VERDICTS = ("pass", "fail", "insufficient")
_READERS_A_STEP = 10_000


def main(
    run: Annotated[Path, typer.Argument(help="Folder written by `recsys train`.")],
    redis: Annotated[
        str,
        typer.Option(
            envvar="RECSYS_REDIS",
            help="Store to publish into: redis://HOST:PORT/DB, or embedded://PATH for a Redis of "
            "our own in that folder.",
        ),
    ] = DEFAULT_STORE,
    keep: Annotated[
        int,
        typer.Option(
            min=1,
            help="Versions to keep; older ones go, but never the live or this. With 1, services "
            "know no vectors from then until they have loaded this one.",
        ),
    ] = 3,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Make the version live at the end.")
    ] = True,
    require_audit: Annotated[
        bool, typer.Option("--require-audit", help="Refuse a run that was not audited.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Publish although the audit did not pass.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put a run's bundle into the store and make it live.

    Nothing is visible before everything is written; a service that serves from the store takes the
    new version over without a pause. A run whose audit did not pass is refused (exit code 3), and
    the live version stays. Publishing a run again replaces its version.

    Example: recsys publish runs/monday --redis redis://localhost:6379/0 --keep 7
    """
    bundle = bundles.load(run / "bundle")
    verdict = gate(run, bundle.manifest, require_audit=require_audit, force=force)
    store = open_store(redis)
    try:
        report = publish(bundle, store, verdict=verdict, keep=keep, activate=activate)
    finally:
        store.close()
    if json:
        emit(report)
        return
    out.print(_summary(report))
    err.print(f"next: recsys serve --redis {without_password(redis)}")


def gate(
    run: Path,
    manifest: Manifest,
    *,
    require_audit: bool,
    force: bool,
    attackers: Collection[str] = tuple(ATTACKERS),
) -> str:
    """Say what the audit found: "pass", "fail", "insufficient", or "" without an audit.

    Args:
        run: Folder written by `recsys train`.
        manifest: Of what is to be published.
        require_audit: Whether there must be one.
        force: Whether to warn in the place of refusing.
        attackers: Who must have taken part.

    Raises:
        Refused: The audit did not pass, is missing though required, is of another model, or one of
            the attackers had no part in it.
        CheckpointError: The audit cannot be read.
    """
    path = run / "audit.json"
    if not path.exists():
        if require_audit and not force:
            raise Refused(f"{path}: there is no audit; run recsys audit {run} first")
        _warn(f"{run} was not audited; see recsys audit --help")
        return ""
    verdict, reason = _objection(path, manifest, attackers)
    if reason and not force:
        raise Refused(f"{reason}; --force publishes it all the same")
    if reason:
        _warn(f"{reason}; published by force")
    return verdict


def _warn(text: str) -> None:
    err.print(f"warning: {text}", style="yellow")


def _objection(path: Path, manifest: Manifest, attackers: Collection[str]) -> tuple[str, str]:
    """Read an audit's verdict, and what speaks against publishing; empty if nothing does."""
    audit = _read_audit(path)
    verdict, audited = audit["verdict"], audit["model"]["model_hash"]
    if audited != manifest.model_hash:
        return verdict, f"{path} is of model {audited}, but the bundle is {manifest.model_hash}"
    if verdict != "pass":
        return verdict, f"{path} says {verdict!r}, expected 'pass'"
    if missing := sorted({*attackers} - {*audit["settings"]["leakage"]["attackers"]}):
        return verdict, f"{path} is a quick look, without {', '.join(missing)}"
    return verdict, ""


def publish(
    bundle: Bundle, store: Store, *, verdict: str, keep: int, activate: bool
) -> dict[str, Any]:
    """Write a bundle as a version and delete old ones; the report's keys are the JSON output's.

    Raises:
        CheckpointError: No service could load it; nothing was written.
        StoreUnavailable: The store stopped answering; nothing of the version is visible.
    """
    Ranker.load(bundle.catalogue, bundle.manifest, bundle.encoder)
    start, meta = time.perf_counter(), describe(bundle.manifest, verdict)
    news = bundle.catalogue.to_bytes()
    store.publish(
        meta,
        news=news,
        encoder=bundle.encoder,
        vectors=_vectors(bundle.readers),
        clicks=_clicks(bundle.readers, bundle.catalogue.ids),
        activate=activate,
    )
    pruned = store.prune(keep, spare=meta.version)
    return {
        "version": meta.version,
        "space": meta.space,
        "live": activate,
        "audit_verdict": verdict,
        "news": meta.num_news,
        "readers": meta.num_readers,
        "bytes": len(news) + len(bundle.encoder) + bundle.readers.vectors.nbytes,
        "seconds": time.perf_counter() - start,
        "pruned": pruned,
    }


def describe(manifest: Manifest, verdict: str) -> VersionMeta:
    """Name a version by when its model was made and by its hash: the same run, the same name."""
    return VersionMeta(
        version=Version(f"{manifest.created_at:%Y%m%dT%H%M%S}-{manifest.model_hash}"),
        space=Space(manifest.space),
        dim=manifest.dim,
        dtype=manifest.dtype,
        num_news=manifest.num_news,
        num_readers=manifest.num_readers,
        model_hash=manifest.model_hash,
        created_at=manifest.created_at,
        audit_verdict=verdict,
        manifest=manifest.model_dump_json(),
    )


def _read_audit(path: Path) -> dict[str, Any]:
    expected = f"expected the audit of a run, with a verdict of {', '.join(VERDICTS)}"
    try:
        audit = json_reader.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; {expected}") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON ({error}); {expected}") from None
    try:
        known = audit["verdict"] in VERDICTS
        audit["model"]["model_hash"], {*audit["settings"]["leakage"]["attackers"]}
    except (KeyError, TypeError):
        known = False
    if not known:
        raise CheckpointError(f"{path}: {expected}")
    return audit


def _vectors(readers: Readers) -> Iterator[tuple[Sequence[UserId], ServedVectors]]:
    with progress() as bar:
        task = bar.add_task("vectors", total=len(readers.ids))
        for at in range(0, len(readers.ids), _READERS_A_STEP):
            part = slice(at, at + _READERS_A_STEP)
            yield readers.ids[part], readers.vectors[part]
            bar.advance(task, len(readers.ids[part]))


def _clicks(readers: Readers, news: Sequence[NewsId]) -> Iterator[tuple[UserId, list[NewsId]]]:
    with progress() as bar:
        for i, user in enumerate(bar.track(readers.ids, description="histories")):
            rows = readers.clicks[readers.offsets[i] : readers.offsets[i + 1]]
            yield user, [news[row] for row in rows.tolist()]


def _summary(report: dict[str, Any]) -> Table:
    table = Table(title=report["version"], title_justify="left", show_header=False, box=None)
    table.add_row("live", "yes" if report["live"] else "no; see recsys versions --activate")
    table.add_row("audit", report["audit_verdict"] or "none")
    table.add_row("news", f"{report['news']:,}")
    table.add_row("readers", f"{report['readers']:,}")
    table.add_row("written", f"{report['bytes'] / 1e6:,.1f} MB in {report['seconds']:.1f} s")
    table.add_row("deleted", ", ".join(report["pruned"]) or "nothing")
    return table
