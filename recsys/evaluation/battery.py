"""Every off-policy estimator on one log, each with its intervals and its own diagnostics."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from recsys.evaluation import offpolicy, slates
from recsys.evaluation.offpolicy import Rounds, Terms
from recsys.evaluation.offpolicy_interval import bootstrap, empirical_bernstein
from recsys.evaluation.overlap import effective_sample_size

LIMIT_QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
"""Quantiles of the weights that clipping may choose from, besides no clipping."""
Clusters = Shaped[np.ndarray, " rounds"] | None


@dataclass(frozen=True)
class Estimate:
    """A value in reward a round, and how far to believe it."""

    estimator: str
    value: float
    low: float
    """95 % bootstrap interval."""
    high: float
    bernstein_low: float
    """95 % empirical Bernstein interval, NaN for ratios: it holds at every size and is wide."""
    bernstein_high: float
    effective_sample_size: float
    max_weight: float
    clipped_mass: float
    """Share of the weight that the estimator does not use."""
    limit: float
    """Where weights are cut; infinity: nowhere."""


@dataclass(frozen=True)
class Model:
    """A reward model's guesses."""

    logged: Rounds
    """For the logged action."""
    policy: Rounds
    """Averaged over the new policy's actions."""


def bandit(
    rewards: Rounds,
    weights: Rounds,
    model: Model | None,
    clusters: Clusters,
    *,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate with every estimator for single actions; those with a model only if there is one.

    Limits of clipped, switch-DR and DRos are chosen by :func:`offpolicy.tuned`.
    """
    limits = [*np.unique(np.quantile(weights, LIMIT_QUANTILES)), np.inf]
    plain = offpolicy.ips(rewards, weights)
    clip, clipped = offpolicy.tuned(
        lambda limit: offpolicy.clipped_ips(rewards, weights, limit=limit), plain, limits
    )
    found = [
        _Entry("ips", plain, weights[:, None]),
        _Entry("clipped-ips", clipped, np.minimum(weights, clip)[:, None], clip),
        _Entry("snips", offpolicy.snips(rewards, weights), weights[:, None]),
    ]
    if model is not None:
        found += _with_model(rewards, weights, model, limits)
    spread = float(rewards.max() - min(rewards.min(), 0.0))
    return [_estimate(entry, weights.sum(), clusters, spread, rng) for entry in found]


def slate(
    rewards: Float[np.ndarray, "rounds length"],
    weights: Float[np.ndarray, "rounds length"],
    clusters: Clusters,
    *,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate with every estimator for slates.

    Args:
        rewards: Reward of each position.
        weights: New over logging probability of each position's news, given those above it.
        clusters: Reader of each slate; None when slates are independent.
        rng: Source of chance.
    """
    through = weights.cumprod(axis=1)
    spread = float(rewards.max(initial=0.0)) * rewards.shape[1]
    found = [
        _Entry("item-position-ips", slates.item_position_ips(rewards, weights), weights),
        _Entry("item-position-snips", slates.item_position_snips(rewards, weights), weights),
        _Entry("rips", slates.reward_interaction_ips(rewards, weights), through),
        _Entry("self-normalised-rips", slates.item_position_snips(rewards, through), through),
        _Entry("slate-ips", slates.slate_ips(rewards, weights), through[:, -1:]),
    ]
    return [_estimate(entry, entry.used.sum(), clusters, spread, rng) for entry in found]


@dataclass(frozen=True)
class _Entry:
    name: str
    terms: Terms
    used: Float[np.ndarray, "rounds columns"]
    limit: float = np.inf


def _with_model(
    rewards: Rounds, weights: Rounds, model: Model, limits: list[float]
) -> list[_Entry]:
    given = rewards, weights, model.logged, model.policy
    robust = offpolicy.doubly_robust(*given)
    cut, switched = offpolicy.tuned(
        lambda limit: offpolicy.switch_dr(*given, limit=limit), robust, limits
    )
    bend, shrunk = offpolicy.tuned(
        lambda limit: offpolicy.shrunk_dr(*given, limit=limit),
        robust,
        [limit**2 for limit in limits],
    )
    bent = weights if np.isinf(bend) else bend * weights / (weights**2 + bend + 1e-300)
    normalised = offpolicy.self_normalised_dr(*given)
    kept = np.where(weights <= cut, weights, 0.0)
    return [
        _Entry("dm", offpolicy.direct_method(model.policy), np.ones((len(weights), 1))),
        _Entry("dr", robust, weights[:, None]),
        _Entry("self-normalised-dr", normalised, weights[:, None]),
        _Entry("switch-dr", switched, kept[:, None], cut),
        _Entry("dros", shrunk, bent[:, None], bend),
    ]


def _estimate(
    entry: _Entry, total: float, clusters: Clusters, spread: float, rng: np.random.Generator
) -> Estimate:
    interval = bootstrap(entry.terms, clusters, rng=rng)
    largest = float(entry.used.max(initial=0.0))
    bounds = empirical_bernstein(entry.terms, spread=spread * largest)
    lost = 0.0 if entry.name == "dm" or not total else 1 - float(entry.used.sum()) / float(total)
    return Estimate(
        estimator=entry.name,
        value=entry.terms.value,
        low=interval.low,
        high=interval.high,
        bernstein_low=bounds.low,
        bernstein_high=bounds.high,
        effective_sample_size=min(effective_sample_size(column) for column in entry.used.T),
        max_weight=largest,
        clipped_mass=max(0.0, lost),
        limit=float(entry.limit),
    )
