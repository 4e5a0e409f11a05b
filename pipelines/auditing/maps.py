"""Readers on a map, before and after, for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16

from pipelines.auditing.settings import AuditConfig
from recsys.fairness.projection import separating_map
from recsys.fairness.target import Target


@dataclass(frozen=True)
class Point:
    """One reader, nameless."""

    x: float
    y: float
    value: int
    """Index of the reader's value."""


@dataclass(frozen=True)
class Map:
    """The same readers by several kinds of vectors."""

    attribute: str
    values: list[str]
    panels: dict[str, list[Point]]
    """By kind of vectors: "baseline", "bias_aware", "served"."""


def reader_map(
    attribute: str,
    values: Sequence[str | None],
    vectors: Mapping[str, Float16[np.ndarray, "readers dim"]],
    config: AuditConfig,
) -> Map:
    """Place readers whose attribute could be attacked; at most ``config.map_readers`` are kept.

    Before is the baseline's vectors where there is a baseline, else the bias-aware ones.
    """
    target = Target.of(values, config.leakage.min_readers)
    labels = target.labels if target.labels is not None else np.zeros(0, dtype=int)
    rng = np.random.default_rng(config.seed)
    kept = rng.permutation(len(labels))[: config.map_readers]
    earlier = "baseline" if "baseline" in vectors else "bias_aware"
    panels = {}
    for kind in (earlier, "served"):
        if kind in vectors:
            placed = separating_map(vectors[kind][target.kept], labels, seed=config.seed)
            panels[kind] = [
                Point(float(x), float(y), int(label))
                for (x, y), label in zip(placed[kept], labels[kept], strict=True)
            ]
    return Map(attribute, list(target.large), panels)
