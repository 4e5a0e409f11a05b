"""`recsys audit`: attack the vectors that would be served, and report."""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from pipelines.auditing import measures, shown
from pipelines.auditing.evidence import Run, attribute_values, held_out, largest_difference
from pipelines.auditing.maps import Map, reader_map
from pipelines.auditing.page import render
from pipelines.auditing.settings import AuditConfig
from pipelines.console import emit, err, out, progress
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.errors import DataError, Refused
from recsys.fairness.leakage import Leakage, LeakageConfig, leakage
from recsys.fairness.verdict import Gain, Verdict, reason_of, verdict

Tree = dict[str, Any]
Tell = Callable[[str], None]
ROUNDING = 4e-3
"""Vectors that differ by less, of their largest number, are one vector rounded twice to float16."""


def main(
    run: Annotated[Path, typer.Argument(help="Folder written by `recsys train`.")],
    dataset: Annotated[Path, typer.Argument(help="The dataset it was trained on.")],
    baseline: Annotated[
        Path | None,
        typer.Option(help="A run to compare with, such as one trained with fairness=off."),
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
    overrides += [f"attributes={json.dumps(attribute)}"] if attribute else []
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
        DataError: The dataset is damaged, or does not know the runs' readers.
    """
    config = config or AuditConfig()
    source, audited = Dataset.open(dataset), Run.load(run)
    before = Run.load(baseline) if baseline else None
    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def tell(step: str) -> None:
            bar.update(task, description=step)

        tree, maps = _measure(audited, source, before, config, tell)
        tell("writing the page")
        page = render(tree, maps)
    _write(run, {"audit.json": json.dumps(tree, indent=2) + "\n", "audit.html": page})
    return tree


def _measure(
    run: Run, dataset: Dataset, baseline: Run | None, config: AuditConfig, tell: Tell
) -> tuple[Tree, list[Map]]:
    users = run.bundle.readers.ids
    everyone = attribute_values(dataset, users, config.attributes)
    rows = _attacked(run, baseline)
    values = {name: [column[row] for row in rows] for name, column in everyone.items()}
    vectors = {"served": run.bundle.readers.vectors[rows]}
    if baseline is not None:
        theirs = [baseline.row_of[users[row]] for row in rows]
        vectors["baseline"] = baseline.bundle.readers.vectors[theirs]
    if run.bias_aware is not None:
        vectors["bias_aware"] = run.bias_aware[rows]
    tell("encoding histories anew")
    fresh = run.encode([run.clicks(row) for row in rows])
    difference = largest_difference(vectors["served"], fresh)
    if difference > ROUNDING:
        vectors["fresh"] = fresh
    found = {kind: _attack_all(kind, each, values, config, tell) for kind, each in vectors.items()}
    tell("ranking for every attacked reader")
    events = held_out(run, dataset)
    tree: Tree = {
        **_verdict(found, run, config),
        "leakage": _leakage(found, config),
        "fresh_vectors": {"largest_difference": difference, "attacked": "fresh" in found},
        "utility": _utility(run, baseline, config),
        "lists": shown.lists(run, rows, values, events, config),
        "groups": measures.groups(run, events, everyone, users, config),
        "exposure": shown.exposures(run, rows, values, config),
        "model": _model(run),
        "baseline": baseline and _model(baseline),
        "data": _data(dataset),
        "settings": config.model_dump(mode="json"),
        "audited_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    maps = [
        reader_map(name, values[name], vectors, config)
        for name, one in found["served"].items()
        if one.attacks
    ]
    return measures.finite(tree), maps


def _attacked(run: Run, baseline: Run | None) -> np.ndarray:
    """Rows of the readers whose attributes neither run may have used."""
    if baseline is None:
        return np.flatnonzero(run.open_to_attack)
    open_there = {
        user
        for user, unseen in zip(baseline.bundle.readers.ids, baseline.open_to_attack, strict=True)
        if unseen
    }
    both = [
        row
        for row in np.flatnonzero(run.open_to_attack)
        if run.bundle.readers.ids[row] in open_there
    ]
    if not both:
        raise DataError.at(baseline.path, f"shares no reader to attack with {run.path}")
    return np.array(both)


def _attack_all(
    kind: str,
    vectors: np.ndarray,
    values: measures.Values,
    config: AuditConfig,
    tell: Tell,
) -> dict[str, Leakage]:
    """Attack one kind of vectors for every attribute; bias-aware ones by the quick attackers."""
    how: LeakageConfig = config.quick().leakage if kind == "bias_aware" else config.leakage
    found = {}
    for name, column in values.items():
        words = f"attacking {kind.replace('_', '-')} vectors for {name}"
        tell(words)
        found[name] = leakage(
            vectors,
            column,
            rng=np.random.default_rng(config.seed),
            config=how,
            on_attacker=partial(_tell_of, tell, words),
        )
    return found


def _tell_of(tell: Tell, words: str, attacker: str) -> None:
    tell(f"{words}: {attacker} done")


def _verdict(found: dict[str, dict[str, Leakage]], run: Run, config: AuditConfig) -> Tree:
    """Judge served vectors, and freshly encoded ones where they differ."""
    judged = dict(found["served"])
    judged |= {f"{name} (fresh history)": one for name, one in found.get("fresh", {}).items()}
    gain = measures.utility(run.events, config)["gain_ndcg@10"] if len(run.events) else None
    outcome: Verdict = verdict(judged, gain and Gain(**gain), config.thresholds)
    return {
        "verdict": outcome.outcome,
        "reasons": [reason._asdict() for reason in outcome.reasons],
        "thresholds": config.thresholds.model_dump(),
    }


def _leakage(found: dict[str, dict[str, Leakage]], config: AuditConfig) -> Tree:
    others = [kind for kind in ("baseline", "bias_aware", "fresh") if kind in found]
    return {
        name: measures.leakage_tree(served)
        | {"outcome": reason_of(name, served, config.thresholds).outcome}
        | {kind: measures.leakage_tree(found[kind][name]) for kind in others}
        for name, served in found["served"].items()
    }


def _utility(run: Run, baseline: Run | None, config: AuditConfig) -> Tree:
    tree = measures.utility(run.events, config)
    if baseline is not None:
        tree["baseline"] = measures.utility(baseline.events, config)
        tree["against_baseline"] = measures.paired_gain(run.events, baseline.events, config)
    return tree


def _model(run: Run) -> Tree:
    manifest, provenance = run.bundle.manifest, run.config.get("provenance", {})
    fairness = run.config.get("fairness", {})
    return {
        "run": run.path.name,
        "model_hash": manifest.model_hash,
        "created_at": manifest.created_at.isoformat(),
        "dim": manifest.dim,
        "dtype": manifest.dtype,
        "news": manifest.num_news,
        "readers": manifest.num_readers,
        "fairness": fairness.get("preset") if isinstance(fairness, dict) else fairness,
        "seed": run.config.get("seed"),
        "git_revision": provenance.get("git_revision"),
        "torch": provenance.get("torch"),
        "readers_open_to_attack": int(run.open_to_attack.sum()),
    }


def _data(dataset: Dataset) -> Tree:
    info = dataset.info.model_dump(mode="json")
    keys = ("source", "first_time", "last_time", "counts", "attributes", "sha256")
    return {"dataset": dataset.path.name} | {key: info[key] for key in keys}


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write files aside and rename them into place, the page first and the verdict last."""
    try:
        with tempfile.TemporaryDirectory(prefix=".audit.", dir=folder) as aside:
            for name, text in files.items():
                (Path(aside) / name).write_text(text, encoding="utf-8")
            for name in reversed(files):
                (Path(aside) / name).replace(folder / name)
    except OSError as error:
        raise DataError.at(folder, f"cannot be written: {error.strerror}") from None


def _show(tree: Tree, run: Path) -> None:
    """Print the verdict, why, and where the page is."""
    colour = {"pass": "green", "fail": "red", "insufficient": "yellow"}
    table = Table(
        title=f"audit: [{colour[tree['verdict']]}]{tree['verdict']}[/]", title_justify="left"
    )
    for heading in ("", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for reason in tree["reasons"]:
        outcome = reason["outcome"]
        table.add_row(reason["about"], f"[{colour[outcome]}]{outcome}[/]", reason["text"])
    out.print(table)
    err.print(f"the whole of it: {run / 'audit.html'}", highlight=False)
