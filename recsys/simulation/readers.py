"""Readers: sensitive attributes, tastes that partly depend on them, and when they visit."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.simulation.config import WorldConfig
from recsys.simulation.taste import Axes, Bend

ACTIVITY_SHAPE = 3.0
"""Of the gamma distribution of visits over readers: the smaller, the more they differ."""
_NIGHT, _MORNING, _NOON, _EVENING = 0.15, (7.5, 1.5, 1.0), (12.5, 1.2, 0.8), (20.5, 2.2, 1.3)


@dataclass(frozen=True, eq=False)
class Attribute:
    """One sensitive attribute of every reader, and whether the log knows it."""

    values: list[str]
    codes: Int[np.ndarray, " users"]
    known: Bool[np.ndarray, " users"]


@dataclass(frozen=True, eq=False)
class Readers:
    """Everything that is true of readers."""

    ids: list[str]
    attributes: dict[str, Attribute]
    personal: Float[np.ndarray, "users dim"]
    """Tastes that no attribute had a hand in."""
    tastes: Float[np.ndarray, "users dim"]
    """Tastes as they are: personal, bent by the attributes."""
    visits: Bool[np.ndarray, "hours users"]
    """Who comes in which hour; at most once an hour."""


def draw(config: WorldConfig, axes: Axes, rng: np.random.Generator) -> Readers:
    """Draw readers; which topics an attribute leans to is drawn with them."""
    attributes = {
        name: _attribute(shares, config, rng) for name, shares in config.attributes.items()
    }
    unit = rng.standard_normal((config.readers, len(axes.spread)), np.float32)
    change = np.zeros_like(unit)
    for attribute in attributes.values():
        bend = Bend.draw(axes, len(attribute.values), rng)
        change += bend.change(unit, attribute.codes).astype(np.float32)
    spread = axes.spread.astype(np.float32)
    return Readers(
        ids=[f"U{number:07d}" for number in range(config.readers)],
        attributes=attributes,
        personal=unit * spread,
        tastes=(unit + np.float32(config.attribute_bias) * change) * spread,
        visits=_visits(config, rng),
    )


def _attribute(
    shares: dict[str, float], config: WorldConfig, rng: np.random.Generator
) -> Attribute:
    weights = np.array(list(shares.values()))
    codes = rng.choice(len(weights), config.readers, p=weights / weights.sum())
    return Attribute(list(shares), codes, rng.random(config.readers) >= config.missing)


def rhythm() -> Float[np.ndarray, "24"]:
    """Return the share of a day's visits in each hour: peaks at breakfast, noon and evening."""
    middle = np.arange(24) + 0.5
    peaks = (
        height * np.exp(-0.5 * ((middle - at) / width) ** 2)
        for at, width, height in (_MORNING, _NOON, _EVENING)
    )
    shares = _NIGHT + sum(peaks)
    return shares / shares.sum()


def _visits(config: WorldConfig, rng: np.random.Generator) -> Bool[np.ndarray, "hours users"]:
    """Let every reader come once for certain, and else by chance, some more often than others."""
    shares = np.tile(rhythm(), config.days)
    activity = rng.gamma(ACTIVITY_SHAPE, 1 / ACTIVITY_SHAPE, config.readers)
    daily = activity * (config.slates_per_reader - 1) / config.days
    visits = np.empty((config.hours, config.readers), bool)
    for hour, share in enumerate(shares):
        visits[hour] = rng.random(config.readers) < daily * share
    certain = rng.choice(config.hours, config.readers, p=shares / shares.sum())
    visits[certain, np.arange(config.readers)] = True
    return visits
