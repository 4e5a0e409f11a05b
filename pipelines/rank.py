"""`recsys rank`: ask a running service for a reader's news."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipelines.console import emit, out
from recsys.client import Filter, RankerClient, Ranking, Tls
from recsys.errors import InputError, InvalidRequest, ServingError

RUNGS = {
    "session": "from the clicks of this session",
    "cached": "from the reader's published vector",
    "history": "from the clicks the store remembers",
    "popular": "fresh and popular: nothing is known of the reader",
}


def main(
    user: Annotated[str, typer.Option(help="The reader; empty for an anonymous one.")] = "",
    k: Annotated[int, typer.Option(help="News wanted.")] = 10,
    target: Annotated[
        str, typer.Option(envvar="RECSYS_TARGET", help="HOST:PORT of the service.")
    ] = "localhost:50051",
    history: Annotated[
        str, typer.Option(help="News clicked in this session, ID,ID,…, newest last.")
    ] = "",
    candidates: Annotated[
        str, typer.Option(help="News to rank, ID,ID,…; by default the whole catalogue.")
    ] = "",
    category: Annotated[
        list[str] | None, typer.Option(help="Only of this one; repeatable.")
    ] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="Only of this one; repeatable.")
    ] = None,
    after: Annotated[
        datetime | None, typer.Option(help="Only news published at this time (UTC) or later.")
    ] = None,
    exclude: Annotated[str, typer.Option(help="News never to show, ID,ID,…")] = "",
    show_seen: Annotated[bool, typer.Option("--show-seen", help="Let seen news return.")] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="Dataset to take titles from, for the table.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM authorities; turns TLS on.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 5.0,
    json_: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Ask a running service for a reader's news.

    A token, where the service wants one, is taken from RECSYS_TOKEN.

    Example: recsys rank --user U13740 --k 5 --history N55528,N19639
    """
    wanted = Filter(
        categories=category or (),
        providers=provider or (),
        published_after=after.replace(tzinfo=UTC) if after else None,
        exclude_ids=_ids(exclude),
        show_seen=show_seen,
    )
    with _one_line(), _client(target, timeout, ca) as ranker:
        ranking = ranker.rank(
            user, k=k, history_ids=_ids(history), candidate_ids=_ids(candidates), filter=wanted
        )
    if json_:
        emit(asdict(ranking))
    else:
        out.print(_table(ranking, user, _titles(dataset) if dataset else {}))


def _client(target: str, timeout: float, ca: Path | None) -> RankerClient:
    tls = Tls(ca=ca) if ca else None
    return RankerClient(target, timeout_s=timeout, token=os.environ.get("RECSYS_TOKEN"), tls=tls)


@contextmanager
def _one_line() -> Iterator[None]:
    """A wrong field or a wrong address is the user's to mend."""
    try:
        yield
    except (InvalidRequest, ServingError) as error:
        raise InputError(str(error)) from None


def _ids(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _titles(folder: Path) -> Mapping[str, str]:
    from recsys.data.dataset import Dataset  # pandas is loaded only when titles are wanted

    news = Dataset.open(folder).news
    return dict(zip(news["news_id"], news["title"], strict=True))


def _table(ranking: Ranking, user: str, titles: Mapping[str, str]) -> Table:
    table = Table(
        title=f"News for {user or 'an anonymous reader'}",
        caption=f"{RUNGS.get(ranking.rung, ranking.rung)}\nversion {ranking.model_version}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("news", style="cyan", no_wrap=True)
    if titles:
        table.add_column("title")  # the one column that gives way on a narrow screen
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("propensity", justify="right", style="dim", no_wrap=True)
    columns = zip(ranking.news_ids, ranking.scores, ranking.propensities, strict=True)
    for place, (news, score, propensity) in enumerate(columns, start=1):
        title = [titles.get(news, "")] if titles else []
        table.add_row(str(place), news, *title, f"{score:.4f}", f"{propensity:.3g}")
    return table
