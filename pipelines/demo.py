"""`recsys demo`: the whole product once, on a simulated world, ending in ranked titles."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import safetensors.numpy
import typer
from rich.table import Table
from rich.text import Text

from pipelines.audit import audit
from pipelines.auditing.settings import AuditConfig
from pipelines.auditing.text import interval, number
from pipelines.configurations import default_config
from pipelines.console import err, out
from pipelines.publish import publish
from pipelines.simulate import SOURCE, simulate
from pipelines.train import train
from recsys import config as settings
from recsys.client import Filter, RankerClient, Ranking
from recsys.data.dataset import Dataset
from recsys.folders import check_target
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle
from recsys.simulation.config import WorldConfig
from recsys.store.connect import open_store
from recsys.training.settings import TrainConfig
from recsys.types import UserId

MARK = ".demo"
"""File that makes a folder a demo's."""
SHOWN = 5
WORLD = WorldConfig(readers=2500, slates_per_reader=35, attribute_bias=0.7, position_bias=0.5)


def main(
    folder: Annotated[Path, typer.Argument(help="Where everything is kept.")] = Path("demo"),
    readers: Annotated[int, typer.Option(min=100, help="Readers of the world.")] = WORLD.readers,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of `recsys train`.")
    ] = None,
) -> None:
    """Simulate, train, audit, publish, serve, and rank for three readers.

    Everything is kept in FOLDER: a new or empty one, or an earlier demo's, whose dataset, run and
    store are replaced. Needs no Redis, Docker or GPU.

    Example: recsys demo
    """
    start = time.monotonic()
    wanted = settings.load(TrainConfig, default_config(SOURCE), set_ or [])
    _make_room(folder)
    err.rule("1/5 a world whose truth is known")
    dataset = simulate(folder / "dataset", WORLD.model_copy(update={"readers": readers}))
    err.rule("2/5 learning interest in two parts")
    metrics = train(dataset, folder / "run", wanted)
    err.rule("3/5 attacking the vectors that would be served")
    verdict = audit(folder / "run", dataset.path, config=AuditConfig().quick())
    err.rule("4/5 publishing, whatever the audit says: it is a demo")
    bundle = bundles.load(folder / "run" / "bundle")
    url = f"embedded://{folder / 'store'}"
    store = open_store(url)
    try:
        publish(bundle, store, verdict=verdict["verdict"], keep=3, activate=True)
        err.rule("5/5 ranking over gRPC")
        with _service(url) as client:
            answers = [_ask(client, one) for one in _three(bundle, dataset)]
    finally:
        store.close()
    _show(answers, _Biased.load(folder / "run", bundle), dataset)
    _show_audit(metrics, verdict)
    _show_next(folder, time.monotonic() - start)


def _make_room(folder: Path) -> None:
    """Delete what an earlier demo made, and nothing else."""
    check_target(folder, "demo", mark=MARK, replace=True)
    for part in ("dataset", "run", "store"):
        if (folder / part).exists():
            shutil.rmtree(folder / part)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


@dataclass(frozen=True)
class _Answer:
    """What one reader was shown."""

    user: str
    clicked: list[str]
    ranking: Ranking


@dataclass(frozen=True)
class _Biased:
    """The ranking by both parts of interest, which is never served."""

    bundle: Bundle
    vectors: np.ndarray

    @classmethod
    def load(cls, run: Path, bundle: Bundle) -> "_Biased | None":
        """Read both parts; None of a model that has but one."""
        offline = run / "offline" / "bias_aware.safetensors"
        if not offline.exists():
            return None
        aware = safetensors.numpy.load_file(offline)["vectors"]
        both = bundle.readers.vectors.astype(np.float32) + aware.astype(np.float32)
        return cls(bundle, both)

    def top(self, answer: _Answer) -> list[str]:
        """Rank what the service ranked, without what the reader has clicked."""
        catalogue = self.bundle.catalogue
        scores = (
            catalogue.vectors.astype(np.float32)
            @ self.vectors[self.bundle.readers.ids.index(UserId(answer.user))]
        )
        seen = np.isin(catalogue.ids, answer.clicked)
        scores[seen | (catalogue.published_at < _fresh_since(self.bundle))] = -np.inf
        return [catalogue.ids[row] for row in np.argsort(-scores)[:SHOWN]]


def _fresh_since(bundle: Bundle) -> int:
    """Return the moment, in seconds, a day before the newest news."""
    return int(bundle.catalogue.published_at.max()) - 86_400


def _three(bundle: Bundle, dataset: Dataset) -> list[tuple[str, list[str], int]]:
    """Pick three readers of different attributes with many clicks, with what they clicked."""
    readers, attributes = bundle.readers, dataset.attributes
    assert attributes is not None
    clicks = pd.Series(np.diff(readers.offsets), index=pd.Index(readers.ids, dtype=str))
    known = attributes.dropna().assign(clicks=attributes["user_id"].map(clicks))
    first = known.sort_values("clicks", ascending=False).drop_duplicates(
        list(attributes.columns[1:])
    )
    row_of = {user: row for row, user in enumerate(readers.ids)}
    chosen = []
    for user in first["user_id"][:3]:
        row = row_of[user]
        rows = readers.clicks[readers.offsets[row] : readers.offsets[row + 1]]
        ids = [bundle.catalogue.ids[news] for news in rows]
        chosen.append((str(user), [str(one) for one in ids], _fresh_since(bundle)))
    return chosen


def _attributes(dataset: Dataset) -> pd.DataFrame:
    """Return the readers' attributes by reader; the simulated world has them."""
    table = dataset.attributes
    return pd.DataFrame() if table is None else table.set_index("user_id")


@contextmanager
def _service(url: str) -> Iterator[RankerClient]:
    """Run `recsys serve` in a process of its own, and a client of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--redis", url, "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        with RankerClient(f"127.0.0.1:{port}") as client:
            client.wait_ready(timeout_s=60)
            yield client
    finally:
        server.terminate()
        server.wait(timeout=20)


def _ask(client: RankerClient, one: tuple[str, list[str], int]) -> _Answer:
    """Ask for a reader's news of the last day, without what they have clicked."""
    user, clicked, since = one
    fresh = Filter(published_after=datetime.fromtimestamp(since, UTC))
    return _Answer(user, clicked, client.rank(user, k=SHOWN, filter=fresh))


def _show(answers: list[_Answer], biased: _Biased | None, dataset: Dataset) -> None:
    """Print, for each reader, what was clicked and the rankings there are, side by side."""
    news = dataset.news.set_index("news_id")
    attributes = _attributes(dataset)

    def title(news_id: str) -> Text:
        return Text.assemble(f"{news.title[news_id]}  ", (f"{news.category[news_id]}", "dim"))

    for answer in answers:
        who = ", ".join(str(value) for value in attributes.loc[answer.user])
        table = Table(
            title=Text.assemble(
                f"reader {answer.user} ",
                (f"({who}; the service does not know that)", "dim"),
                style="table.title",
            ),
            caption=f"way: {answer.ranking.rung} · model {answer.ranking.model_version}",
            show_lines=False,
            expand=True,
        )
        columns = {
            "clicked last": answer.clicked[::-1][:SHOWN],
            "bias-free ranking, as served": answer.ranking.news_ids,
        }
        if biased:
            columns["full ranking, not served"] = biased.top(answer)
        for heading in columns:
            table.add_column(heading, ratio=1, overflow="fold")
        for row in zip_longest(*columns.values()):
            table.add_row(*("" if one is None else title(one) for one in row))
        out.print(table)


def _show_audit(metrics: dict[str, Any], audited: dict[str, Any]) -> None:
    """Print what the ranking is worth and what its vectors give away."""
    table = Table(title="is it good, and is it fair?")
    for heading in ("", "value", "95 % interval", "read it as"):
        table.add_column(heading, overflow="fold")

    def line(name: str, value: dict[str, Any], key: str, text: str) -> None:
        table.add_row(name, number(value[key]), interval(value, bounds_only=True), text)

    line("nDCG@10, bias-free", metrics["ndcg@10"], "mean", "held-out slates; 1 is perfect")
    line("nDCG@10, popularity", metrics["popularity_ndcg@10"], "mean", "the same for everybody")
    for name, found in audited["leakage"].items():
        text = "best attacker's AUC on served vectors; 0.5 is chance"
        line(f"leakage of {name}", found, "auc", text)
        if "bias_aware" in found:
            line("  in the other part", found["bias_aware"], "auc", "kept offline; it should know")
    out.print(table)
    out.print("verdict of the audit:", Text(audited["verdict"], style="bold"))
    for reason in audited["reasons"]:
        out.print(f"  {reason['about']}: {reason['outcome']}: {reason['text']}")


def _show_next(folder: Path, seconds: float) -> None:
    data, run = f"{folder}/dataset", f"{folder}/run"
    steps = {
        f"{run}/audit.html": "the audit, as a page",
        f"recsys serve --redis embedded://{folder}/store": "the service",
        f"recsys rank --user U0000001 --dataset {data}": "a reader's news, from another terminal",
        f"recsys train {data} {folder}/off --set fairness=off": "the same, unconstrained",
        f"recsys compare {folder}/off {run} {data}": "both, side by side",
    }
    table = Table(title=f"done in {seconds:.0f} s · where to look next", show_header=False)
    for step, text in steps.items():
        table.add_row(step, text)
    out.print(table)
