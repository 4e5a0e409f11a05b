"""`recsys evaluate-ultr`: which way of learning from biased clicks would rank best."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from pydantic import PositiveInt
from rich.progress import Progress, TaskID
from rich.table import Table

from pipelines import ultr_report
from pipelines.console import emit, err, out, progress
from pipelines.ultr_data import collections
from pipelines.ultr_findings import INITIAL, Findings
from recsys import config
from recsys.config import Config, Seed
from recsys.data.queries import Collection
from recsys.data.sources.click_table import ClickColumns
from recsys.errors import ConfigError
from recsys.ltr import experiment, gbdt, logged, protocol
from recsys.ltr.experiment import Contest, Outcome, TrainingConfig
from recsys.ltr.methods import METHODS
from recsys.ltr.protocol import Protocol

ALL_METHODS = (*METHODS, *gbdt.KINDS)
DEFAULT_METHODS = "true-labels,naive,ips,ips-estimated,dla,regression-em,two-tower"


class UltrConfig(Config):
    """What `recsys evaluate-ultr` can be told in a file or with --set."""

    protocol: Protocol = Protocol()
    """How clicks are simulated; of no effect on logged clicks, but for positions."""
    training: TrainingConfig = TrainingConfig()
    columns: ClickColumns = ClickColumns()
    """Which column of a table of clicks is what."""
    max_sessions: PositiveInt | None = None
    """Logged sessions to take at most, the first."""
    seed: Seed = 0
    """Of the first repetition; the others count on."""
    threads: PositiveInt = 1
    """Torch's; a small ranker gains nothing from more, one of 512-256-128 does."""


def main(
    data: Annotated[Path, typer.Argument(help="LETOR folder, generated collection, or click log.")],
    methods: Annotated[
        str, typer.Option(help=f"Comma-separated, or all. Known: {', '.join(ALL_METHODS)}.")
    ] = DEFAULT_METHODS,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of everything random.")] = 3,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None,
    file: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, as in --set protocol.eta=2; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare ways of learning to rank from biased clicks.

    Where the data have labels and no clicks, clicks are simulated (Ai et al., 2018): a ranker
    trained on 1 % of the labels decides what is shown, a click model what is clicked. Logged
    clicks are used as they are. All methods get the same sessions, ranker and loop; nothing is
    chosen by test or validation labels.

    Example: recsys evaluate-ultr data/mq2008 --methods naive,dla,true-labels --report ultr.html

    Example: recsys evaluate-ultr clicks.csv --set columns.query=search_id --set columns.click=hit
    """
    chosen = config.load(UltrConfig, file, settings or [])
    result = evaluate(data, chosen, _known(methods), seeds)
    emit(result) if json else _print(result)
    if report is not None:  # last: where it cannot be written, the numbers are not lost
        ultr_report.write(result, report)
        err.print(f"report: {report}")


def evaluate(data: Path, settings: UltrConfig, methods: list[str], seeds: int) -> dict[str, Any]:
    """Train every method on every part of the data with every seed; the keys are the JSON's.

    Raises:
        DataError: The data break their format, or lack what is needed.
        ConfigError: A method needs what the data do not have.
    """
    findings = Findings()
    torch.set_num_threads(settings.threads)
    with progress("ndcg") as bar:
        parts = list(collections(data, settings.columns, settings.max_sessions))
        for name, collection in parts:
            for seed in range(settings.seed, settings.seed + seeds):
                run = _logged if collection.log is not None else _simulated
                run(findings, name, collection, settings, methods, seed, bar)
    return {"data": str(data), "seeds": seeds} | findings.result(settings.model_dump(mode="json"))


def _simulated(
    findings: Findings,
    part: str,
    collection: Collection,
    settings: UltrConfig,
    methods: list[str],
    seed: int,
    bar: Progress,
) -> None:
    world = protocol.prepare(collection, settings.protocol, seed)
    contest = Contest(
        world.source,
        world.test.features.shape[1],
        settings.protocol.positions,
        world.validation,
        world.known_examination,
        world.estimated_examination,
    )
    if world.known_examination is not None:
        findings.truth.append(world.known_examination)
    if world.test.buckets is not None:
        findings.buckets[part] = world.test.buckets.tolist()
    findings.scores.add(INITIAL, part, seed, experiment.judge(lambda _: world.initial, world.test))
    for outcome in _outcomes(contest, part, methods, settings.training, seed, bar):
        findings.add(outcome, part, experiment.judge(outcome.score, world.test))


def _logged(
    findings: Findings,
    part: str,
    collection: Collection,
    settings: UltrConfig,
    methods: list[str],
    seed: int,
    bar: Progress,
) -> None:
    given = logged.prepare(collection, settings.protocol.positions)
    if not findings.click_models:
        findings.click_models = logged.click_models(given)
    if given.contest.known_examination is not None:
        findings.truth.append(np.asarray(given.contest.known_examination))
    if given.test is not None and given.test.buckets is not None:
        findings.buckets[part] = given.test.buckets.tolist()
    for outcome in _outcomes(given.contest, part, methods, settings.training, seed, bar):
        labelled = {} if given.test is None else experiment.judge(outcome.score, given.test)
        limit = settings.training.max_weight
        clicked = logged.held_out_gain(outcome.score, given, limit)
        findings.add(outcome, part, labelled | clicked)


def _outcomes(
    contest: Contest,
    part: str,
    methods: list[str],
    settings: TrainingConfig,
    seed: int,
    bar: Progress,
) -> Iterator[Outcome]:
    """Train one method after another behind a progress bar, if all can be trained."""
    experiment.check(contest, methods, settings)
    for method in methods:
        task = bar.add_task(f"{part}, seed {seed}: {method}", total=settings.loop.steps, ndcg="")
        outcome = experiment.run(contest, method, settings, seed, _watch(bar, task))
        last = f"nDCG@10 {outcome.curve[-1][1]:.4f}" if outcome.curve else ""
        bar.update(task, completed=settings.loop.steps, ndcg=last)
        yield outcome
        bar.remove_task(task)


def _watch(bar: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda step: bar.update(task, completed=step)


def _known(methods: str) -> list[str]:
    names = list(ALL_METHODS) if methods == "all" else [name.strip() for name in methods.split(",")]
    unknown = [name for name in names if name not in ALL_METHODS]
    if unknown:
        raise ConfigError(f"--methods: {unknown[0]!r} is none of {', '.join(ALL_METHODS)}")
    return list(dict.fromkeys(names))


def _print(result: dict[str, Any]) -> None:
    out.print(_table(result))
    for line in result["notes"]:
        out.print(line)


def _table(result: dict[str, Any]) -> Table:
    shown = [
        m
        for m in ("ndcg@10", "ndcg@5", "err@10", "map", "ips-dcg@10", "click-dcg@10")
        if any(row["metric"] == m for row in result["results"])
    ]
    table = Table(title=f"{result['data']}: mean and 95 % interval", title_justify="left")
    for name in ("method", *shown, "to naive", "gap closed"):
        table.add_column(name, justify="left" if name == "method" else "right")
    cells = {(row["method"], row["metric"]): row for row in result["results"]}
    added = {row["method"]: row for row in result["differences"]}
    for method in dict.fromkeys(row["method"] for row in result["results"]):
        first, *others = (cells[method, metric] for metric in shown)
        difference = added.get(method)
        closed = result["gap_closed"].get(method)
        table.add_row(
            method,
            _cell(first, ".4f"),
            *(f"{row['mean']:.4f}" for row in others),
            "" if difference is None else _cell(difference, "+.4f"),
            "" if closed is None else f"{closed:.0%}",
        )
    return table


def _cell(row: dict[str, float], style: str) -> str:
    return f"{row['mean']:{style}} ({row['low']:{style}} to {row['high']:{style}})"
