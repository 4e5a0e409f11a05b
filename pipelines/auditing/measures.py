"""Measurements of a run as plain trees, ready for `audit.json`; see docs/audit.md for every key."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipelines.auditing.evidence import Run
from pipelines.auditing.questions import HeldOut
from pipelines.auditing.settings import AuditConfig
from recsys.evaluation import bootstrap
from recsys.fairness.groups import Sample, describe, groups_of
from recsys.fairness.leakage import Leakage
from recsys.training.truth import METRIC

Tree = dict[str, Any]
Values = Mapping[str, list[str | None]]
METRICS = ("ndcg@10", "popularity_ndcg@10")


def leakage_tree(found: Leakage) -> Tree:
    """Flatten one attribute's leakage; numbers are None with insufficient data."""
    best = found.best
    return {
        "auc": best and best.auc,
        "low": best and best.low,
        "high": best and best.high,
        "attacker": best and best.attacker,
        "readers": found.readers,
        "leakage": best and best.leakage,
        "highest_leakage": best and best.highest_leakage,
        "attackers": [asdict(attack) for attack in found.attacks],
        "values": found.values,
        "too_small": found.too_small,
        "missing": found.missing,
    }


def utility(events: pd.DataFrame, config: AuditConfig) -> Tree:
    """Measure held-out ranking quality, and the gain over popularity."""
    rng, who = np.random.default_rng(config.seed), events["user_id"].to_numpy(object)
    settings: Any = {"rng": rng, "level": config.level, "num_samples": config.num_samples}
    ours, popular = (events[name].to_numpy() for name in METRICS)
    return {
        "ndcg@10": asdict(bootstrap.mean_interval(ours, who, **settings)),
        "popularity_ndcg@10": asdict(bootstrap.mean_interval(popular, who, **settings)),
        "gain_ndcg@10": asdict(bootstrap.paired_difference(ours, popular, who, **settings)),
        "events": int(np.isfinite(ours).sum()),
        "readers": int(events["user_id"].nunique()),
    }


def paired_gain(ours: pd.DataFrame, theirs: pd.DataFrame, config: AuditConfig) -> Tree | None:
    """Compare two runs on the held-out events they share; None where there are none."""
    both = ours.merge(theirs, on=["user_id", "slate_id"], suffixes=("", "_theirs"))
    if both.empty:
        return None
    gain = bootstrap.paired_difference(
        both["ndcg@10"].to_numpy(),
        both["ndcg@10_theirs"].to_numpy(),
        both["user_id"].to_numpy(object),
        rng=np.random.default_rng(config.seed),
        level=config.level,
        num_samples=config.num_samples,
    )
    return asdict(gain) | {"events": len(both)}


def true_utility(ours: pd.DataFrame, config: AuditConfig) -> Tree:
    """Measure ranking quality against true relevance, over readers."""
    return asdict(
        bootstrap.mean_interval(
            ours[METRIC].to_numpy(),
            rng=np.random.default_rng(config.seed),
            level=config.level,
            num_samples=config.num_samples,
        )
    )


def true_gain(ours: pd.DataFrame, theirs: pd.DataFrame, config: AuditConfig) -> Tree | None:
    """Compare two runs by true relevance on the readers they share; None where there are none."""
    both = ours.merge(theirs, on="user_id", suffixes=("", "_theirs"))
    if both.empty:
        return None
    gain = bootstrap.paired_difference(
        both[METRIC].to_numpy(),
        both[f"{METRIC}_theirs"].to_numpy(),
        rng=np.random.default_rng(config.seed),
        level=config.level,
        num_samples=config.num_samples,
    )
    return asdict(gain) | {"readers": len(both)}


def groups(
    run: Run, events: HeldOut, values: Values, users: Sequence[str], config: AuditConfig
) -> Tree:
    """Measure ranking quality and click rate by group and by intersection of groups.

    Args:
        run: The audited run.
        events: What it was asked.
        values: Attributes of ``users``.
        users: All readers of the bundle.
        config: Settings of the audit.
    """
    metrics = {
        "ndcg@10": run.events[["user_id", "ndcg@10"]],
        "click_rate": events.click_rates(),
    }
    tree: Tree = {}
    for name, group in groups_of(values).items():
        group_of = dict(zip(users, group, strict=True))
        tree[name] = {
            metric: None if frame is None else _by_group(frame, group_of, config)
            for metric, frame in metrics.items()
        }
    return tree


def _by_group(frame: pd.DataFrame, group_of: Mapping[str, str], config: AuditConfig) -> Tree:
    rng = np.random.default_rng(config.seed)
    who, numbers = frame["user_id"].to_numpy(object), frame.iloc[:, 1].to_numpy(dtype=float)
    group = np.array([group_of.get(user, "") for user in who], dtype=object)
    samples = {}
    for name in sorted(set(group_of.values())):
        member = (group == name) & np.isfinite(numbers)
        part, readers = numbers[member], who[member]
        means = bootstrap.resampled_means(part, readers, rng=rng, num_samples=config.num_samples)
        mean = float(part.mean()) if len(part) else float("nan")
        samples[name] = Sample(len(set(readers)), mean, means)
    found, gap = describe(samples, min_readers=config.min_group, level=config.level)
    return {
        "groups": [asdict(one) | {"sufficient": one.sufficient} for one in found],
        "gap": gap and asdict(gap),
    }
