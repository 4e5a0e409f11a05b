"""`recsys audit`: attack the vectors that would be served, and report."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipelines.auditing.evidence import Run
from pipelines.auditing.inspection import inspect
from pipelines.auditing.page import render
from pipelines.auditing.settings import AuditConfig
from pipelines.console import emit, err, out, progress
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.errors import Refused
from recsys.folders import writing

Tree = dict[str, Any]


def main(
    run: Annotated[Path, typer.Argument(help="Folder written by `recsys train`.")],
    dataset: Annotated[Path, typer.Argument(help="The dataset it was trained on.")],
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="A run to compare with, such as one of fairness=off; same split settings."
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Attribute to audit; repeat. By default all.")
    ] = None,
    max_leakage: Annotated[
        float | None, typer.Option(help="Largest allowed AUC of an attacker. [default: 0.60]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in min_group=50.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two attackers instead of four.")] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 3 unless the verdict is a pass.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print audit.json on stdout.")] = False,
) -> None:
    """Attack the vectors that would be served, and report what they give away.

    RUN receives audit.json (keys: docs/audit.md) and audit.html, a page to read and to print.
    Only readers whose attributes training never used are attacked. The verdict is pass, fail, or
    insufficient: too little evidence is never a pass. An earlier audit is replaced.

    Example: recsys audit runs/ml data/ml --baseline runs/ml-off --max-leakage 0.58
    """
    overrides = list(set_ or [])
    overrides += [] if max_leakage is None else [f"thresholds.max_leakage={max_leakage}"]
    overrides += [f"attributes={json.dumps(attribute, ensure_ascii=False)}"] if attribute else []
    wanted = settings.load(AuditConfig, config, overrides)
    result = audit(run, dataset, baseline=baseline, config=wanted.quick() if quick else wanted)
    if json_:
        emit(result)
    else:
        _show(result, run)
    if gate and result["verdict"] != "pass":
        raise Refused(f"{run}: the audit's verdict is {result['verdict']}; see {run}/audit.html")


def audit(
    run: Path, dataset: Path, *, baseline: Path | None = None, config: AuditConfig | None = None
) -> Tree:
    """Audit a run, and write ``audit.json`` and ``audit.html`` into it.

    Args:
        run: Folder written by `recsys train`.
        dataset: The dataset it was trained on.
        baseline: Another run on the same dataset, shown beside it.
        config: Settings of the audit.

    Returns:
        What ``audit.json`` holds.

    Raises:
        CheckpointError: A run is damaged.
        DataError: The dataset is damaged, or not what the runs were trained on.
        InputError: Run and baseline do not hold the same out.
    """
    config = config or AuditConfig()
    source = Dataset.open(dataset)
    audited = Run.load(run, source)
    before = Run.load(baseline, source) if baseline else None
    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def tell(step: str) -> None:
            bar.update(task, description=step)

        tree, maps = inspect(audited, source, before, config, tell)
        tell("writing the page")
        page = render(tree, maps)
    # both are whole before the page takes its place, and the verdict the last of all
    with writing(run / "audit.json") as numbers, writing(run / "audit.html") as to_read:
        numbers.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
        to_read.write_text(page, encoding="utf-8")
    return tree


def _show(tree: Tree, run: Path) -> None:
    """Print the verdict, why, and where the page is."""
    colour = {"pass": "green", "fail": "red", "insufficient": "yellow"}
    verdict = tree["verdict"]
    title = Text.assemble("audit: ", (verdict, colour[verdict]), style="table.title")
    table = Table(title=title, title_justify="left")
    for heading in ("", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for reason in tree["reasons"]:
        outcome = reason["outcome"]
        table.add_row(reason["about"], Text(outcome, style=colour[outcome]), reason["text"])
    out.print(table)
    err.print(f"the whole of it: {run / 'audit.html'}")
