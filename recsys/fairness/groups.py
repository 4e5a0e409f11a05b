"""A measure of ranking, group by group: means, gap and ratio with intervals, and honest silence.

Knows no metric and no bootstrap: values come per event, and their bootstrap distribution per group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

NOT_STATED = "not stated"
"""The group of readers whose attribute is missing."""


@dataclass(frozen=True)
class Sample:
    """What is known of one group."""

    readers: int
    mean: float
    means: Float[np.ndarray, " samples"]
    """Bootstrap distribution of the mean."""


@dataclass(frozen=True)
class Group:
    """One group's line in a report; no numbers when it is too small for any."""

    name: str
    readers: int
    mean: float | None
    low: float | None
    high: float | None

    @property
    def sufficient(self) -> bool:
        """Whether the group is large enough to say anything of it."""
        return self.mean is not None


@dataclass(frozen=True)
class Gap:
    """Best over worst of the groups that could be measured."""

    best: str
    worst: str
    difference: float
    low: float
    high: float
    ratio: float
    """Worst over best: 1 is equal; 0.8 is the four-fifths rule's border."""
    among: int
    """Groups that these two are the extremes of, at least 2."""


def groups_of(
    attributes: Mapping[str, Sequence[str | None]],
) -> dict[str, list[str]]:
    """Group of each reader: by each attribute, and by each pair of them (intersections).

    A reader who does not state an attribute is in a group of its own there.
    """
    single = {
        name: [NOT_STATED if value is None else value for value in values]
        for name, values in attributes.items()
    }
    pairs = {
        f"{a} × {b}": [f"{x} × {y}" for x, y in zip(single[a], single[b], strict=True)]
        for a, b in combinations(single, 2)
    }
    return single | pairs


def describe(
    samples: Mapping[str, Sample], *, min_readers: int, level: float = 0.95
) -> tuple[list[Group], Gap | None]:
    """Report each group, and the gap between the best and the worst that are large enough.

    Args:
        samples: By name of the group.
        min_readers: Below it a group is insufficient data.
        level: Of the intervals.

    Returns:
        The groups, by name; and the gap, None unless two groups of readers who state the
        attribute are large enough. Its interval holds for every two of the groups at once, so that
        it allows for these two being the extremes.
    """
    tail = [(1 - level) / 2, (1 + level) / 2]
    groups = []
    for name, sample in sorted(samples.items()):
        numbers: tuple[float | None, ...] = (None, None, None)
        if sample.readers >= min_readers and np.isfinite(sample.mean):
            low, high = np.quantile(sample.means, tail)
            numbers = (sample.mean, float(low), float(high))
        groups.append(Group(name, sample.readers, *numbers))
    rivals = [group for group in groups if group.sufficient and NOT_STATED not in group.name]
    if len(rivals) < 2:
        return groups, None
    return groups, _gap({group.name: samples[group.name] for group in rivals}, level)


def _gap(rivals: Mapping[str, Sample], level: float) -> Gap:
    worst, *_, best = order = sorted(rivals, key=lambda name: rivals[name].mean)
    top, bottom = rivals[best].mean, rivals[worst].mean
    difference = top - bottom
    margin = _margin(np.stack([rivals[name].means for name in order]), level)
    ratio = bottom / top if top else float("nan")
    low, high = difference - margin, difference + margin
    return Gap(best, worst, difference, low, high, ratio, len(rivals))


def _margin(means: Float[np.ndarray, "groups samples"], level: float) -> float:
    """Half width of the interval of the last less the first, such that all pairs' hold at once.

    The ``level`` quantile of the largest standardised deviation over pairs (Romano and Wolf, 2005,
    doi:10.1198/016214504000000539), times the standard error of these two.
    """
    centred = means - means.mean(axis=1, keepdims=True)
    largest = np.zeros(means.shape[1])
    for row, one in enumerate(centred[:-1]):
        deviations = centred[row + 1 :] - one
        spread = np.maximum(deviations.std(axis=1, keepdims=True), 1e-12)
        largest = np.maximum(largest, np.abs(deviations / spread).max(axis=0))
    return float(np.quantile(largest, level) * (centred[-1] - centred[0]).std())
