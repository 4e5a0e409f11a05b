"""`recsys compare`: runs on one dataset, side by side, with paired intervals."""

from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from pipelines.auditing.evidence import Run, attribute_values, same_questions
from pipelines.auditing.measures import (
    leakage_tree,
    paired_gain,
    true_gain,
    true_utility,
    utility,
)
from pipelines.auditing.settings import AuditConfig
from pipelines.auditing.text import interval
from pipelines.console import emit, finite, out, progress
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.errors import DataError, InputError
from recsys.fairness.leakage import Leakage, difference, leakage
from recsys.training.truth import METRIC

Tree = dict[str, Any]


def main(
    runs_and_dataset: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_A RUN_B [RUN_C]... DATASET", help="Two runs or more, then their dataset."
        ),
    ],
    attribute: Annotated[
        list[str] | None, typer.Option(help="Attribute to attack; repeat. By default all.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting of the audit, as in seed=1.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two attackers instead of four.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Set runs side by side: ranking quality and leakage, with the difference to the first.

    Runs are compared on the held-out events they share, and attacked on readers whose attributes
    none of them used; intervals of differences are paired. Runs of different split settings, or
    (split.protocol=random) of different seeds, hold different things out and are refused.

    Example: recsys compare runs/off runs/paper runs/default data/ml
    """
    *runs, dataset = runs_and_dataset
    if len(runs) < 2:
        raise InputError("expected two runs or more and then their dataset")
    overrides = list(set_ or [])
    wanted = settings.load(AuditConfig, None, overrides)
    wanted = wanted.model_copy(update={"attributes": tuple(attribute or wanted.attributes)})
    result = compare(runs, dataset, config=wanted.quick() if quick else wanted)
    if json_:
        emit(result)
    else:
        _show(result)


def compare(runs: list[Path], dataset: Path, *, config: AuditConfig | None = None) -> Tree:
    """Compare runs with the first of them.

    Returns:
        ``readers_attacked``, and ``runs``: of each ``run``, ``model_hash``, ``utility``,
        ``gain_over_first``, for simulated data ``true_ndcg@10`` and ``true_gain_over_first``
        (paired by reader, against what readers truly like) and, by attribute, ``leakage`` as in
        audit.json, with ``over_first``: how much more the run leaks than the first (``mean``,
        ``low``, ``high``).

    Raises:
        DataError: The runs share no reader to attack, or no held-out event, or were not trained on
            the dataset.
        InputError: The runs were not asked the same: their split settings differ.
    """
    config = config or AuditConfig()
    source = Dataset.open(dataset)
    loaded = [Run.load(path, source) for path in runs]
    same_questions(loaded)
    users = _shared_readers(loaded)
    values = attribute_values(source, users, config.attributes)
    first = loaded[0]
    found: list[dict[str, Leakage]] = []
    with progress() as bar:
        task = bar.add_task("attacking", total=len(loaded) * len(values))
        for run in loaded:
            vectors = run.bundle.readers.vectors[[run.row_of[user] for user in users]]
            found.append({})
            for name, column in values.items():
                rng = np.random.default_rng(config.seed)  # the same folds and resamples for all
                found[-1][name] = leakage(vectors, column, rng=rng, config=config.leakage)
                bar.advance(task)
    rows = [
        {
            "run": str(run.path),
            "model_hash": run.bundle.manifest.model_hash,
            "utility": utility(run.events, config),
            "gain_over_first": None
            if run is first
            else paired_gain(run.events, first.events, config),
            **_by_truth(run, first, config),
            "leakage": {
                name: leakage_tree(each) | {"over_first": _over(each, found[0][name], config)}
                for name, each in leaks.items()
            },
        }
        for run, leaks in zip(loaded, found, strict=True)
    ]
    return finite({"readers_attacked": len(users), "runs": rows})


def _by_truth(run: Run, first: Run, config: AuditConfig) -> Tree:
    """Quality against true relevance, for runs that could be judged by it."""
    if run.true_ndcg is None or first.true_ndcg is None:
        return {}
    gain = None if run is first else true_gain(run.true_ndcg, first.true_ndcg, config)
    return {METRIC: true_utility(run.true_ndcg, config), "true_gain_over_first": gain}


def _over(found: Leakage, first: Leakage, config: AuditConfig) -> Tree | None:
    more = None if found is first else difference(found, first, level=config.leakage.level)
    return more and dict(zip(("mean", "low", "high"), more, strict=True))


def _shared_readers(runs: list[Run]) -> list[str]:
    """Readers that every run leaves open to attack, in the first one's order."""
    unseen = [
        {
            user
            for user, free in zip(run.bundle.readers.ids, run.open_to_attack, strict=True)
            if free
        }
        for run in runs
    ]
    shared = reduce(set.intersection, unseen)
    if not shared:
        raise DataError.at(runs[0].path, "shares no reader to attack with the other runs")
    return [user for user in runs[0].bundle.readers.ids if user in shared]


def _show(result: Tree) -> None:
    rows = result["runs"]
    table = Table(
        title=f"{result['readers_attacked']:,} readers attacked; differences are to the first run",
        title_justify="left",
    )
    judged = ("nDCG@10 by truth", "over the first") if all(METRIC in row for row in rows) else ()
    for heading in ("run", "nDCG@10", "over the first", *judged, *rows[0]["leakage"]):
        table.add_column(heading, overflow="fold")
    names = [Path(row["run"]).resolve().name for row in rows]
    if len(set(names)) < len(names):  # as those of `recsys nightly` are
        names = [row["run"] for row in rows]
    for name, row in zip(names, rows, strict=True):
        cells = [name, interval(row["utility"]["ndcg@10"], 4)]
        cells.append(_gain(row["gain_over_first"]))
        if judged:
            cells += [interval(row[METRIC], 4), _gain(row["true_gain_over_first"])]
        table.add_row(*cells, *(_leak(found) for found in row["leakage"].values()))
    out.print(table)


def _gain(found: Tree | None) -> str:
    return interval(found, 4, "+") if found else ""


def _leak(found: Tree) -> str:
    if found["auc"] is None:
        return "insufficient data"
    text = f"{interval(found)} {found['attacker']}"
    return f"{text}; {interval(found['over_first'], 3, '+')}" if found["over_first"] else text
