"""`recsys versions`: what is published, and which of it is live."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipelines.console import emit, out
from recsys.errors import ConfigError, VersionNotFound
from recsys.store.base import Store, VersionMeta
from recsys.store.connect import open_store
from recsys.types import Version

DEFAULT_STORE = "embedded://store"


def main(
    redis: Annotated[
        str,
        typer.Option(
            envvar="RECSYS_REDIS", help="The store: redis://HOST:PORT/DB or embedded://PATH."
        ),
    ] = DEFAULT_STORE,
    activate: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Make this version live.")
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the version before the live one live.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List published versions, oldest first; activate one, or roll back.

    Services that serve from the store follow within seconds, without a pause.

    Example: recsys versions --activate 20260501T030000-1a2b3c4d
    """
    if activate and rollback:
        raise ConfigError("--activate and --rollback: expected one of them")
    store = open_store(redis)
    try:
        if activate:
            store.activate(Version(activate))
        elif rollback:
            store.activate(before_live(store))
        versions, live = store.versions(), _live(store)
    finally:
        store.close()
    if json:
        emit({"live": live, "versions": [_row(meta, live) for meta in versions]})
    else:
        out.print(_table(versions, live))


def before_live(store: Store) -> Version:
    """Name the version to roll back to: the newest one older than the live one.

    Raises:
        VersionNotFound: Nothing is live, or nothing older is left.
    """
    live = store.live()
    names = [meta.version for meta in store.versions()]
    older = names[: names.index(live)] if live in names else []
    if not older:
        raise VersionNotFound(f"{live} is live, and no older version is left to roll back to")
    return older[-1]


def _live(store: Store) -> Version | None:
    try:
        return store.live()
    except VersionNotFound:
        return None


def _row(meta: VersionMeta, live: Version | None) -> dict[str, Any]:
    row = {name: value for name, value in vars(meta).items() if name != "manifest"}
    return row | {"created_at": meta.created_at.isoformat(), "live": meta.version == live}


def _table(versions: list[VersionMeta], live: Version | None) -> Table:
    table = Table(caption=None if versions else "nothing was published yet; see recsys publish")
    for name in ("", "version", "space", "audit"):
        table.add_column(name)
    for name in ("news", "readers", "dim"):
        table.add_column(name, justify="right")
    for meta in versions:
        table.add_row(
            Text("live" if meta.version == live else "", style="green"),
            meta.version,
            meta.space,
            meta.audit_verdict or "none",
            f"{meta.num_news:,}",
            f"{meta.num_readers:,}",
            str(meta.dim),
        )
    return table
