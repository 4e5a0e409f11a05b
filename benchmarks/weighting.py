"""Does training with weights raise what readers truly like, and does leakage stay where it is?

Worlds of strong position and exposure bias are simulated, each with a seed of its own. In each, the
peer learns from plain clicks and the other model from clicks weighed by how likely their place was
looked at, both at the settings for simulated data. What differs is told of each world, and over
worlds: a mean with a 95 % interval of Student's t, which holds what worlds, draws of readers and
trainings differ by. What is complete already is not done again.

    python benchmarks/weighting.py runs/weighting --first 311 --worlds 8

OUT receives dataset-SEED, propensity-SEED, plain-SEED, weighed-SEED and compared-SEED.json of each
world, and weighting.json, which is printed as well: ``worlds``, ``seeds``, and of ``true_ndcg@10``
and the leakage of each attribute ``plain``, ``weighed`` (means over worlds) and ``difference``, its
``mean``, ``low``, ``high`` and ``by_world``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from pipelines import propensity
from pipelines.auditing.settings import AuditConfig
from pipelines.compare import compare
from pipelines.configurations import default_config
from pipelines.console import err
from pipelines.simulate import simulate
from pipelines.train import train
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.errors import InputError, Interrupted
from recsys.simulation.config import WorldConfig
from recsys.training.settings import TrainConfig
from recsys.training.truth import METRIC

Tree = dict[str, Any]

WORLD = {
    "readers": 12_000,
    "news": 300,
    "days": 2,
    "slates_per_reader": 18,
    "position_bias": 3,
    "exposure_bias": 3,
}
METHOD = "harvesting"
"""News of one slate are compared, all of them shown: what differs is being looked at."""


def main() -> None:
    """Bring every world to its numbers, and print them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=311, help="seed of the first world")
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], help="of the training, as in seed=1")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.worlds)
    try:
        result = summary({seed: compared(options.out, seed, options.set) for seed in seeds})
    except InputError as error:
        parser.exit(2, f"{error}\n")
    except (Interrupted, KeyboardInterrupt):
        parser.exit(130, "stopped; the same command goes on\n")
    text = json.dumps(result, indent=2)
    (options.out / "weighting.json").write_text(text, encoding="utf-8")
    print(text)


def compared(
    out: Path, seed: int, overrides: Sequence[str] = (), world: Mapping[str, Any] = WORLD
) -> Tree:
    """Simulate a world, train with and without weights, and set both side by side."""
    cache = out / f"compared-{seed}.json"
    if not cache.exists():
        err.print(f"world {seed}")
        dataset, weights = _world(out, seed, world)
        config = settings.load(
            TrainConfig, default_config(dataset.info.source), [f"seed={seed}", *overrides]
        )
        runs = [out / f"plain-{seed}", out / f"weighed-{seed}"]
        for run, given in zip(runs, (None, weights), strict=True):
            if not (run / "metrics.json").exists():
                train(dataset, run, config, propensity=given)
        found = compare(runs, dataset.path, config=AuditConfig())
        cache.write_text(json.dumps(found, indent=2), encoding="utf-8")
    found = json.loads(cache.read_text(encoding="utf-8"))
    return {name: tuple(_read(run, name) for run in found["runs"]) for name in _names(found)}


def _world(out: Path, seed: int, world: Mapping[str, Any]) -> tuple[Dataset, Path]:
    """Draw a dataset and its propensities, or find them."""
    path, weights = out / f"dataset-{seed}", out / f"propensity-{seed}"
    dataset = (
        Dataset.open(path) if path.exists() else simulate(path, WorldConfig(**world, seed=seed))
    )
    if not weights.exists():
        found = propensity.estimate(dataset, [METHOD], propensity.PropensityConfig())
        propensity.write(found, weights, replace=False)
    return dataset, weights


def _names(found: Tree) -> list[str]:
    return [METRIC, *found["runs"][0]["leakage"]]


def _read(run: Tree, name: str) -> float:
    return float(run[METRIC]["mean"] if name == METRIC else run["leakage"][name]["leakage"])


def summary(worlds: Mapping[int, Mapping[str, tuple[float, float]]]) -> Tree:
    """Summarise pairs of a plain and a weighed model over worlds."""
    names = list(next(iter(worlds.values())))
    return {"worlds": len(worlds), "seeds": list(worlds)} | {
        name: _pairs(np.array([found[name] for found in worlds.values()])) for name in names
    }


def _pairs(values: np.ndarray) -> Tree:
    plain, weighed = values.mean(axis=0).tolist()
    more = values[:, 1] - values[:, 0]
    low, high = (None, None)
    if len(more) > 1:
        low, high = stats.t.interval(0.95, len(more) - 1, more.mean(), stats.sem(more))
    difference = {"mean": more.mean(), "low": low, "high": high, "by_world": more.tolist()}
    return {"plain": plain, "weighed": weighed, "difference": difference}


if __name__ == "__main__":
    main()
