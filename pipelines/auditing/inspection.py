"""The whole audit of a run, from evidence to the tree that becomes `audit.json`."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from pipelines.auditing import measures, shown
from pipelines.auditing.evidence import (
    Run,
    attribute_values,
    largest_difference,
    same_questions,
)
from pipelines.auditing.maps import Map, reader_map
from pipelines.auditing.questions import held_out
from pipelines.auditing.settings import AuditConfig
from pipelines.console import finite
from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.fairness.leakage import Leakage, LeakageConfig, leakage
from recsys.fairness.verdict import Gain, Verdict, reason_of, verdict

Tree = dict[str, Any]
Tell = Callable[[str], None]
ROUNDING = 4e-3
"""Vectors that differ by less, of their largest number, are one vector rounded twice to float16."""


def inspect(
    run: Run, dataset: Dataset, baseline: Run | None, config: AuditConfig, tell: Tell
) -> tuple[Tree, list[Map]]:
    """Audit a run.

    Args:
        run: What is audited.
        dataset: What it was trained on.
        baseline: A run to set beside it.
        config: Settings of the audit.
        tell: Told what is being done.

    Returns:
        What ``audit.json`` shall hold, and maps of the readers for the page.

    Raises:
        DataError: The dataset does not know an attribute, or the runs share no reader to attack.
        InputError: The runs were not asked the same.
    """
    if baseline is not None:
        same_questions([run, baseline])
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
    return finite(tree), maps


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
        "run": run.path.resolve().name,
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
    return {"dataset": dataset.path.resolve().name} | {key: info[key] for key in keys}
