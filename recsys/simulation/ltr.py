"""A learning-to-rank collection whose relevance is known and not linear.

Features of a document are a share of its query and a share of its own; relevance is a linear part
plus a random two-layer network of the features, cut into grades 0 to 4 at fixed shares. A linear
ranker trained on few labels therefore ranks better than chance and far from well: a good start
for position bias to do harm.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from pydantic import Field, NonNegativeFloat

from recsys.config import Config, Seed

GRADE_SHARES = (0.55, 0.2, 0.13, 0.08, 0.04)
"""Share of documents of each grade, 0 first: most documents are irrelevant, as in MSLR."""

UNITS = 6
"""Bends of the non-linear part, each of two features."""


class RankingWorld(Config):
    """What the collection is like."""

    num_queries: int = Field(default=12_000, ge=10)
    mean_documents: int = Field(default=20, ge=5)
    """Documents a query on average; sizes are log-normal, at least 5."""
    num_features: int = Field(default=20, ge=2)
    linear: float = Field(default=0.4, ge=0, le=1)
    """Share of the relevance (of its variance) that is linear in the features."""
    noise: NonNegativeFloat = 0.2
    """Standard deviation of what no feature explains, relative to what they do."""
    seed: Seed = 0


@dataclass(frozen=True)
class RankingTruth:
    """Documents query by query: query ``i`` owns rows ``offsets[i]:offsets[i + 1]``."""

    offsets: Int[np.ndarray, " queries_plus_one"]
    features: Float32[np.ndarray, "documents features"]
    labels: Float32[np.ndarray, " documents"]
    buckets: Int[np.ndarray, " queries"]
    """Frequency bucket, 0 (the head) to 9; the tail has as many queries as the head."""


def generate(world: RankingWorld) -> RankingTruth:
    """Draw a collection; the same settings give the same one."""
    rng = np.random.default_rng(world.seed)
    drawn = rng.lognormal(np.log(world.mean_documents) - 0.125, 0.5, world.num_queries)
    sizes = np.maximum(drawn.astype(np.int64), 5)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    shared = rng.normal(size=(world.num_queries, world.num_features))
    own = rng.normal(size=(offsets[-1], world.num_features))
    features = np.sqrt(0.3) * np.repeat(shared, sizes, axis=0) + np.sqrt(0.7) * own
    relevance = _relevance(features, world, rng)
    relevance += world.noise * rng.normal(size=len(relevance))
    cuts = np.quantile(relevance, np.cumsum(GRADE_SHARES)[:-1])
    return RankingTruth(
        offsets,
        features.astype(np.float32),
        np.searchsorted(cuts, relevance).astype(np.float32),
        rng.permutation(world.num_queries) * 10 // world.num_queries,
    )


def _relevance(
    features: Float[np.ndarray, "documents features"],
    world: RankingWorld,
    rng: np.random.Generator,
) -> Float[np.ndarray, " documents"]:
    """A linear and a non-linear part, of variance ``linear`` and the rest."""
    dims = world.num_features
    linear = features @ rng.normal(size=dims)
    inner = np.zeros((dims, UNITS))
    for unit in range(UNITS):
        inner[rng.choice(dims, 2, replace=False), unit] = rng.choice([-1.0, 1.0], 2)
    bent = np.cos(features @ inner) @ rng.uniform(0.5, 1.5, UNITS)
    bent = bent - np.polynomial.Polynomial.fit(linear, bent, 1)(linear)
    parts = [(linear, world.linear), (bent, 1 - world.linear)]
    return sum(np.sqrt(share) * (part - part.mean()) / part.std() for part, share in parts)
