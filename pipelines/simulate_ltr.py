"""`recsys simulate --kind ltr`: a learning-to-rank collection whose relevance is known."""

from pathlib import Path
from typing import Any

import numpy as np

from recsys.data import queries
from recsys.data.queries import Collection, Queries
from recsys.simulation import ltr
from recsys.simulation.ltr import RankingWorld

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
"""Share of the queries in each split."""


def simulate(out: Path, world: RankingWorld, *, replace: bool = False) -> dict[str, Any]:
    """Draw a collection and write it; return what is in it, as the JSON output has it.

    Raises:
        DataError: ``out`` is there already.
    """
    whole = collection(world)
    queries.write(whole, out, replace=replace)
    return {
        "collection": str(out),
        "queries": {name: len(part) for name, part in whole.splits.items()},
        "documents": {name: len(part.features) for name, part in whole.splits.items()},
        "features": world.num_features,
        "settings": world.model_dump(mode="json"),
    }


def collection(world: RankingWorld) -> Collection:
    """Draw a collection and split it by query."""
    truth = ltr.generate(world)
    names = [f"q{query}" for query in range(world.num_queries)]
    whole = Queries(names, truth.offsets, truth.features, truth.labels, truth.buckets)
    ends = np.cumsum([0, *SHARES.values()]) * world.num_queries
    cuts = ends.round().astype(np.int64)
    parts = zip(SHARES, cuts[:-1], cuts[1:], strict=True)
    return Collection({name: whole.select(np.arange(low, high)) for name, low, high in parts})
