"""How often do off-policy intervals hold the true value, and how wide are they?

Bandits with a known truth, from good overlap to none: the share of logs whose 95 % interval holds
it, and the median width of the intervals, for every estimator. The peer is the usual interval, in
the same run: the bootstrap percentiles of the same terms, the reward model taken as known.

    python benchmarks/coverage.py --trials 200
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from recsys.evaluation import battery, offpolicy
from recsys.evaluation.battery import Model
from recsys.evaluation.bootstrap import Interval, mean_interval
from recsys.evaluation.overlap import effective_sample_size
from recsys.evaluation.reward_model import cross_fit

Policies = Callable[[np.ndarray], np.ndarray]
LARGE = 400_000


@dataclass(frozen=True)
class World:
    """A bandit: what actions pay in each context, and two policies."""

    about: str
    rounds: int
    features: int
    pays: Policies
    logging: Policies
    new: Policies
    """In every context alike, as the policies of `recsys evaluate-policy` are."""

    def contexts(self, rounds: int, rng: np.random.Generator) -> np.ndarray:
        """Draw contexts."""
        return rng.normal(size=(rounds, self.features))

    def truth(self) -> float:
        """Value of the new policy, over a large sample of contexts."""
        context = self.contexts(LARGE, np.random.default_rng(1))
        return float((self.pays(context) * self.new(context)).sum(axis=1).mean())


def worlds() -> dict[str, World]:
    """Build the bandits; their constants are drawn once."""
    rng = np.random.default_rng(0)
    few, tilt = rng.normal(size=6), rng.normal(size=(3, 6))
    shown, wanted = rng.normal(size=(3, 6)), rng.normal(size=6)
    many, spread = 0.006 * np.exp(rng.normal(size=34) * 0.6), rng.normal(size=34)
    slope = 0.3 * rng.normal(size=3)

    def additive(context: np.ndarray) -> np.ndarray:
        return np.clip(0.4 + 0.1 * few + 0.05 * context.sum(axis=1, keepdims=True), 0.02, 0.98)

    def crossed(context: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(context @ tilt * 1.2 + few)))

    def clicks(context: np.ndarray) -> np.ndarray:
        return np.minimum(many * np.exp(context @ slope)[:, None], 1.0)

    def explored(context: np.ndarray) -> np.ndarray:
        return 0.9 * softmax(context @ shown * 0.6) + 0.1 / 6

    def steep(context: np.ndarray) -> np.ndarray:
        return softmax(context @ shown * 1.5)

    def fixed(logits: np.ndarray) -> Policies:
        return lambda context: np.tile(softmax(logits[None]), (len(context), 1))

    rare = partial(World, rounds=4000, features=3, pays=clicks, new=fixed(np.zeros(34)))
    common = partial(World, rounds=1000, features=3, new=fixed(wanted))
    return {
        "covered": common("good overlap, right model", pays=additive, logging=explored),
        "misfit": common("good overlap, wrong model", pays=crossed, logging=explored),
        "heavy": common("weights without variance", pays=crossed, logging=steep),
        "rare": rare("rewards below 1 %", logging=fixed(1.2 * spread)),
        "poor": rare("the same, uneven weights", logging=fixed(2.2 * spread)),
        "hopeless": rare("the same, hardly overlap", logging=fixed(5.0 * spread)),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the actions of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def intervals(world: World, rng: np.random.Generator) -> tuple[float, dict[str, list[Interval]]]:
    """Log rounds, estimate; return the effective sample size, and ours and the usual intervals."""
    context = world.contexts(world.rounds, rng)
    logging, new = world.logging(context), world.new(context)
    drawn = rng.random(world.rounds)[:, None]
    actions = np.minimum((logging.cumsum(axis=1) < drawn).sum(axis=1), logging.shape[1] - 1)
    rows = np.arange(world.rounds)
    rewards = (rng.random(world.rounds) < world.pays(context)[rows, actions]).astype(float)
    weights = new[rows, actions] / logging[rows, actions]
    model = fitted(context, actions, rewards, new[:1], rng)
    found = {
        row.estimator: [Interval(row.value, row.low, row.high)]
        for row in battery.bandit(rewards, weights, model, None, rng=rng)
    }
    snips = offpolicy.snips(rewards, weights).value
    usual = {
        "ips": weights * rewards,
        "snips": snips + weights * (rewards - snips) / weights.mean(),
        "dm": model.policy,
        "dr": model.policy + weights * (rewards - model.logged),
    }
    for name, terms in usual.items():
        found[name].append(mean_interval(terms, rng=rng, num_samples=300))
    return effective_sample_size(weights), found


def fitted(
    context: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    table: np.ndarray,
    rng: np.random.Generator,
) -> Model:
    """Cross-fit the reward model as `recsys evaluate-policy` does."""
    fit = cross_fit(context, actions, rewards, table.shape[1], rng=rng)
    places = np.zeros(len(rewards), dtype=np.int64)
    return Model(
        fit.logged(),
        fit.averaged(table, places),
        lambda r, used: fit.taught(r, used, table, places),
    )


def measure(world: World, trials: int) -> dict[str, Any]:
    """Coverage and median width of every estimator's intervals, ours and the usual."""
    truth, sizes = world.truth(), []
    held, widths = defaultdict(list), defaultdict(list)
    for trial in range(trials):
        size, found = intervals(world, np.random.default_rng(trial))
        sizes.append(size)
        for name, pair in found.items():
            held[name].append([one.low <= truth <= one.high for one in pair])
            widths[name].append([one.high - one.low for one in pair])
    return {
        "about": world.about,
        "truth": truth,
        "effective_rounds": float(np.median(sizes)),
        "coverage": {name: np.mean(rows, axis=0).tolist() for name, rows in held.items()},
        "width": {name: np.median(rows, axis=0).tolist() for name, rows in widths.items()},
    }


def main() -> None:
    """Measure all worlds and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--worlds", nargs="*", default=list(worlds()))
    options = parser.parse_args()
    started = time.perf_counter()
    found = {name: measure(worlds()[name], options.trials) for name in options.worlds}
    lowest = [min(pair[0] for pair in row["coverage"].values()) for row in found.values()]
    usual = [
        min(pair[-1] for pair in row["coverage"].values() if pair[1:]) for row in found.values()
    ]
    report = {
        "name": "coverage",
        "ratio": min(lowest) / 0.95,
        "unit": "lowest share of intervals that hold the truth over the nominal 0.95",
        "peer": "bootstrap percentiles, reward model taken as known; second of each pair",
        "peer_ratio": min(usual) / 0.95,
        "trials": options.trials,
        "seconds": time.perf_counter() - started,
        "worlds": found,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
