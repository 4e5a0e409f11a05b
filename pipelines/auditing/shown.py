"""Measurements of what a run would show, as plain trees: lists, and the exposure they give."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float16, Int

from pipelines.auditing.evidence import Run
from pipelines.auditing.questions import HeldOut
from pipelines.auditing.settings import AuditConfig
from recsys.fairness import exposure
from recsys.fairness.lists import hit_places, js_distance, js_floor, list_leakage, one_hot

Tree = dict[str, Any]
Values = Mapping[str, list[str | None]]


def lists(
    run: Run,
    rows: Int[np.ndarray, " readers"],
    values: Values,
    events: HeldOut,
    config: AuditConfig,
) -> Tree:
    """Measure what the ranked lists of some readers give away.

    Args:
        run: The audited run.
        rows: Rows of these readers in the bundle.
        values: Attributes of these readers.
        events: What the run was asked.
        config: Settings of the audit.
    """
    k = max(config.list_lengths)
    vectors, seen = run.bundle.readers.vectors[rows], [run.clicks(row) for row in rows]
    nothing = [np.zeros(0, np.int64)] * len(rows)
    kinds = {
        "with_seen_filter": run.lists(vectors, seen, k),
        "without_seen_filter": run.lists(vectors, nothing, k),
        "non_personalised": run.lists(_average(run, len(rows)), seen, k),
    }
    earlier = events.histories(rows)
    before_test = run.lists(run.encode(earlier), earlier, k)
    place = {int(row): at for at, row in enumerate(rows)}
    readers, wanted = events.clicks()
    mine = np.isin(readers, rows)
    hits = hit_places(
        before_test, np.array([place[int(r)] for r in readers[mine]], int), wanted[mine]
    )
    news, categories = (
        np.arange(len(run.bundle.catalogue.ids)),
        _codes(run.bundle.catalogue.categories),
    )
    columns = {"news": news} | ({"category": categories[0]} if categories[1] else {})
    return {
        name: {
            "leakage": {
                kind: _leaks(ranked, columns, groups_, config) for kind, ranked in kinds.items()
            },
            "dp_js": _distances(kinds["with_seen_filter"], groups_, len(news), None, config),
            "dp_js_non_personalised": _distances(
                kinds["non_personalised"], groups_, len(news), None, config
            ),
            "dp_js_before_test": _distances(before_test, groups_, len(news), None, config),
            "eo_js": _distances(before_test, groups_, len(news), hits, config),
        }
        for name, groups_ in values.items()
    }


def _average(run: Run, readers: int) -> Float16[np.ndarray, "readers dim"]:
    """Give all readers the mean vector: what their lists still tell is told by the seen-filter."""
    mean = run.bundle.readers.vectors.mean(axis=0, dtype=np.float64).astype(np.float16)
    return np.tile(mean, (readers, 1))


def _leaks(
    ranked: np.ndarray, columns: Tree, groups_: Sequence[str | None], config: AuditConfig
) -> Tree:
    tree: Tree = {}
    for name, column in columns.items():
        tree[name] = {}
        for k in config.list_lengths:
            rng = np.random.default_rng(config.seed)
            found = list_leakage(
                one_hot(ranked[:, :k], column), groups_, rng=rng, config=config.leakage
            )
            tree[name][str(k)] = found and asdict(found)
    return tree


def _distances(
    ranked: np.ndarray,
    groups_: Sequence[str | None],
    num_news: int,
    hits: np.ndarray | None,
    config: AuditConfig,
) -> Tree:
    tree = {}
    for k in config.list_lengths:
        top, won = ranked[:, :k], None if hits is None else hits[:, :k]
        rng = np.random.default_rng(config.seed)
        tree[str(k)] = {
            "distance": js_distance(top, groups_, num_news, won),
            "floor": js_floor(top, groups_, num_news, won, rng=rng),
            "places": int((top >= 0).sum() if won is None else won.sum()),
        }
    return tree


def exposures(
    run: Run, rows: Int[np.ndarray, " readers"], values: Values, config: AuditConfig
) -> Tree:
    """Measure who gets shown: providers and topics, over all and by group of readers."""
    k = max(*config.exposure_cuts, *config.list_lengths)
    ranked = run.lists(run.bundle.readers.vectors[rows], [run.clicks(row) for row in rows], k)
    news = run.bundle.catalogue
    kinds = {"provider": _codes(news.providers), "category": _codes(news.categories)}
    return {
        kind: _exposure(ranked, owner, names, run, values, config) if len(names) > 1 else None
        for kind, (owner, names) in kinds.items()
    }


def _exposure(
    ranked: np.ndarray,
    owner: Int[np.ndarray, " news"],
    names: list[str],
    run: Run,
    values: Values,
    config: AuditConfig,
) -> Tree:
    top = ranked[:, : max(config.list_lengths)]
    clicks = np.bincount(run.bundle.readers.clicks, minlength=len(owner)).astype(float)
    protected = exposure.least_clicked(clicks, owner, len(names))
    available = float(protected[owner[owner >= 0]].mean())
    shown = [exposure.protected_share(ranked, owner, protected, k) for k in config.exposure_cuts]
    cuts = [str(k) for k in config.exposure_cuts]
    spread = (
        exposure.rnd(shown, available, config.exposure_cuts) if available else [None] * len(cuts)
    )
    share = exposure.exposure_share(top, owner, len(names))
    by_group = {
        name: exposure.share_by_group(top, owner, len(names), groups_)
        for name, groups_ in values.items()
    }
    return {
        "er": dict(zip(cuts, [exposure.exposure_ratio(p, available) for p in shown], strict=True)),
        "rnd": dict(zip(cuts, map(float, spread), strict=True)),
        "protected_share_of_catalogue": available,
        "owners": [
            {
                "name": name,
                "protected": bool(protected[code]),
                "share_of_catalogue": float((owner == code).sum() / (owner >= 0).sum()),
                "share_of_clicks": float(clicks[owner == code].sum() / max(1.0, clicks.sum())),
                "share_of_exposure": float(share[code]),
                "by_group": {
                    attribute: {value: float(each[code]) for value, each in shares.items()}
                    for attribute, shares in by_group.items()
                },
            }
            for code, name in enumerate(names)
        ],
    }


def _codes(names: list[str]) -> tuple[Int[np.ndarray, " news"], list[str]]:
    """Number the names; -1 for the empty one."""
    known = sorted(set(names) - {""})
    code = {name: number for number, name in enumerate(known)}
    return np.array([code.get(name, -1) for name in names], dtype=int), known
