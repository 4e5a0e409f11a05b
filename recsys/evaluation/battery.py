"""Every off-policy estimator on one log, each with its intervals and its own diagnostics."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from recsys.evaluation import offpolicy, slates
from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.offpolicy import Rounds, Terms
from recsys.evaluation.offpolicy_interval import (
    Clusters,
    Reach,
    Resamples,
    bootstrap,
    empirical_bernstein,
)
from recsys.evaluation.overlap import effective_sample_size

LIMIT_QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
"""Quantiles of the weights that clipping may choose from, besides no clipping."""
Estimator = Callable[[np.ndarray], Terms]
"""Of the rewards alone; weights and guesses are given."""


@dataclass(frozen=True)
class Estimate:
    """A value in reward a round, and how far to believe it."""

    estimator: str
    value: float
    low: float
    """95 % interval of the policy's value, not beyond the rewards seen."""
    high: float
    bernstein_low: float
    """95 % empirical Bernstein interval: wide, and good for every number of independent rounds or
    clusters if no reward, or weight of what the log does, can be beyond those logged. NaN for
    ratios, for clusters of unequal size, and where clipping or a fitted model errs in ways that it
    does not count."""
    bernstein_high: float
    effective_sample_size: float
    max_weight: float
    clipped_mass: float
    """Share of the weight that the estimator does not use."""
    limit: float
    """Where weights are cut; infinity: nowhere."""


def _nothing(rewards: Rounds, used: Rounds) -> Rounds:
    return np.zeros_like(rewards)


@dataclass(frozen=True)
class Model:
    """A reward model's guesses."""

    logged: Rounds
    """For the logged action."""
    policy: Rounds
    """Averaged over the new policy's actions."""
    taught: Callable[[Rounds, Rounds], Rounds] = field(default=_nothing)
    """What rounds add to an estimate through the model they taught, given rewards and the weights
    used (:meth:`CrossFit.taught`); nothing where the model was known beforehand."""


def bandit(
    rewards: Rounds,
    weights: Rounds,
    model: Model | None,
    clusters: Clusters,
    *,
    unsupported: float = 0.0,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate with every estimator for single actions; those with a model only if there is one.

    Limits of clipped, switch-DR and DRos are chosen by :func:`offpolicy.tuned`.

    Clipped IPS, the direct method, switch-DR and DRos buy less variance with bias: the value is
    closer to the truth on average, but no honest interval is shorter unless the bias is bounded
    beforehand (Low, 1997, Annals of Statistics 25:2547). So theirs also hold the interval of the
    unbiased estimator they stand in for, IPS or DR.

    Args:
        rewards: Observed rewards.
        weights: New over logging probability of the logged action.
        model: Guesses of rewards.
        clusters: Slate or reader of each round, kept together; None when rounds are independent.
        unsupported: Probability that the new policy does what the log never does. Nothing is known
            of its reward: intervals grow by it times the range of the reward (Manski, 1990), of IPS
            with 0 in that range, which is what it takes such rewards for.
        rng: Source of chance.
    """
    found = list(_weighted(rewards, weights))
    if model is not None:
        found += _with_model(rewards, weights, model)
    resamples = Resamples.draw(len(rewards), clusters, rng=rng)
    log = _Log(rewards, resamples, unsupported)
    intervals = {entry.name: log.interval(entry) for entry in found}
    return [log.estimate(entry, intervals) for entry in found]


def slate(
    rewards: Float[np.ndarray, "rounds length"],
    weights: Float[np.ndarray, "rounds length"],
    clusters: Clusters,
    *,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate with every estimator for slates.

    A position's weight alone would be that of a policy that finds the log's news above it, which
    is not the new policy: all weights here are products down the slate.

    Args:
        rewards: Reward of each position.
        weights: New over logging probability of each position's news, given those above it.
        clusters: Reader of each slate; None when slates are independent.
        rng: Source of chance.
    """
    through = weights.cumprod(axis=1)
    found = [
        _Entry("rips", lambda r: slates.reward_interaction_ips(r, weights), through),
        _Entry(
            "self-normalised-rips",
            lambda r: slates.reward_interaction_snips(r, weights),
            through,
        ),
        _Entry("slate-ips", lambda r: slates.slate_ips(r, weights), through[:, -1:]),
    ]
    log = _Log(rewards, Resamples.draw(len(rewards), clusters, rng=rng))
    intervals = {entry.name: log.interval(entry) for entry in found}
    return [log.estimate(entry, intervals) for entry in found]


def unidentified(estimates: list[Estimate], extent: float) -> list[str]:
    """Say of which estimators the interval is as good as none; no word where all are shorter.

    Args:
        estimates: Of one log and policy.
        extent: Largest minus smallest reward.
    """
    if extent <= 0:
        return ["Every logged reward is the same: nothing says what others there could be."]
    wide = [row.estimator for row in estimates if row.high - row.low > extent / 2]
    if not wide:
        return []
    return [
        f"The log does not identify the value by {', '.join(wide)}: their intervals hold more than "
        "half of what the reward could be. Collect exploratory data first."
    ]


@dataclass(frozen=True)
class _Entry:
    name: str
    estimator: Estimator
    used: Float[np.ndarray, "rounds columns"]
    """Weights as the estimator uses them."""
    limit: float = np.inf
    clipped_mass: float = 0.0
    unbiased: str | None = None
    """Name of what a biased estimator stands in for."""
    has_bernstein: bool = True
    from_zero: bool = False
    """Whether a reward that the log cannot show is taken for 0."""


@dataclass(frozen=True)
class _Log:
    """What all estimators share: rewards, resamples, and what the log leaves open."""

    rewards: np.ndarray
    resamples: Resamples
    unsupported: float = 0.0

    def interval(self, entry: _Entry) -> Interval:
        return bootstrap(Reach.of(entry.estimator, self.rewards), self.resamples)

    def estimate(self, entry: _Entry, intervals: dict[str, Interval]) -> Estimate:
        own, other = intervals[entry.name], intervals[entry.unbiased or entry.name]
        value, largest = own.mean, float(entry.used.max(initial=0.0))
        lowest, highest = self._range()
        reach = max(highest, 0.0) - min(lowest, 0.0)
        bounds = empirical_bernstein(
            entry.estimator(self.rewards), spread=reach * largest, unit=self.resamples.unit
        )
        known = entry.has_bernstein
        margin = self.unsupported * (reach if entry.from_zero else highest - lowest)
        return Estimate(
            estimator=entry.name,
            value=value,
            low=max(min(own.low, other.low) - margin, min(lowest, value)),
            high=min(max(own.high, other.high) + margin, max(highest, value)),
            bernstein_low=bounds.low - margin if known else np.nan,
            bernstein_high=bounds.high + margin if known else np.nan,
            effective_sample_size=min(effective_sample_size(column) for column in entry.used.T),
            max_weight=largest,
            clipped_mass=entry.clipped_mass,
            limit=float(entry.limit),
        )

    def _range(self) -> tuple[float, float]:
        """Least and most that a round, or a whole slate, can earn."""
        length = self.rewards[0].size
        return float(self.rewards.min()) * length, float(self.rewards.max()) * length


def _weighted(rewards: Rounds, weights: Rounds) -> Iterator[_Entry]:
    def plain(r: Rounds) -> Terms:
        return offpolicy.ips(r, weights)

    clip, _ = offpolicy.tuned(
        lambda limit: offpolicy.clipped_ips(rewards, weights, limit=limit),
        plain(rewards),
        _limits(weights),
    )
    clipped = np.minimum(weights, clip)
    yield _Entry("ips", plain, weights[:, None], from_zero=True)
    yield _Entry(
        "clipped-ips",
        lambda r: offpolicy.ips(r, clipped),
        clipped[:, None],
        clip,
        _cut_off(weights, clipped),
        "ips",
        has_bernstein=False,
        from_zero=True,
    )
    yield _Entry("snips", lambda r: offpolicy.snips(r, weights), weights[:, None])


def _with_model(rewards: Rounds, weights: Rounds, model: Model) -> Iterator[_Entry]:
    """Doubly robust with weights whole, normalised, and cut down to nothing."""

    def robust(used: Rounds) -> Estimator:
        level = model.taught(rewards, used).mean()
        return lambda r: offpolicy.doubly_robust(
            r, used, model.logged, model.policy + model.taught(r, used) - level
        )

    def normalised(r: Rounds) -> Terms:
        used = weights / (weights.mean() or 1.0)
        taught = model.taught(r, used) - model.taught(rewards, used).mean()
        return offpolicy.self_normalised_dr(r, weights, model.logged, model.policy + taught)

    def cut(name: str, rule: Callable[[Rounds, float], Rounds], limits: list[float]) -> _Entry:
        limit, _ = offpolicy.tuned(
            lambda limit: robust(rule(weights, limit))(rewards), whole(rewards), limits
        )
        used = rule(weights, limit)
        lost = _cut_off(weights, used)
        return _Entry(name, robust(used), used[:, None], limit, lost, "dr", has_bernstein=False)

    whole, limits = robust(weights), _limits(weights)
    alike = np.ones((len(weights), 1))
    unweighted = robust(np.zeros_like(weights))
    yield _Entry("dm", unweighted, alike, unbiased="dr", has_bernstein=False)
    yield _Entry("dr", whole, weights[:, None], has_bernstein=False)
    yield _Entry("self-normalised-dr", normalised, weights[:, None], has_bernstein=False)
    yield cut("switch-dr", offpolicy.switched, limits)
    yield cut("dros", offpolicy.shrunk, [limit**2 for limit in limits])


def _cut_off(weights: Rounds, used: Rounds) -> float:
    """Share of the weight that is not used; none of no weight."""
    return max(0.0, 1 - float(used.sum() / weights.sum())) if weights.any() else 0.0


def _limits(weights: Rounds) -> list[float]:
    return [*np.unique(np.quantile(weights, LIMIT_QUANTILES)), np.inf]
