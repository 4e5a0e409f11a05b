r"""Intervals of off-policy estimates: a bootstrap with one unseen round, and empirical Bernstein.

Resampling a log knows nothing of the rewards it has not seen: where clicks are rare or weights
uneven, plain percentiles hold the truth far less often than they say. So every resample draws from
one round more than there is, whose reward was the lowest (for the lower end) or the highest (for
the upper), and whose weight is that of a typical event under the new policy,
:math:`\sum w^2 / \sum w`. With equal weights that is what the exact Poisson interval does, which
counts one event more for its upper end (Garwood, 1936); with unequal weights it follows Fay and
Feuer (1997, Statistics in Medicine 16:791), with a typical weight in place of the largest, which
makes theirs very wide (Tiwari et al., 2006, Statistical Methods in Medical Research 15:547, soften
it too). At an effective sample size n it adds about 3/n of the reward's range, the rule of three:
where overlap is hopeless, intervals become as wide as the reward can vary.

``benchmarks/coverage.py`` measures how often the intervals hold a known truth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from recsys.evaluation.bootstrap import Interval, blocks
from recsys.evaluation.offpolicy import Terms

AT_ONCE = 100
"""Resamples summed at a time, which bounds memory."""
Clusters = Shaped[np.ndarray, " rounds"] | None


@dataclass(frozen=True)
class Reach:
    """An estimate as logged, and what it would be had every reward been the lowest or highest."""

    logged: Terms
    lowest: Terms
    highest: Terms

    @classmethod
    def of(cls, estimator: Callable[[np.ndarray], Terms], rewards: np.ndarray) -> "Reach":
        """Evaluate an estimator of the rewards alone, its weights and guesses given."""
        lowest, highest = (
            estimator(np.full_like(rewards, extreme)) for extreme in (rewards.min(), rewards.max())
        )
        return cls(estimator(rewards), lowest, highest)


@dataclass(frozen=True)
class Resamples:
    """Units drawn again and again, one draw for all estimators of a log."""

    unit: Int[np.ndarray, " rounds"]
    """Cluster of each round, or the round itself."""
    block: Int[np.ndarray, " units"]
    """What each unit is drawn with."""
    counts: Int[np.ndarray, "samples blocks"]
    """How often each was drawn; the last is the unit that was not seen."""

    @classmethod
    def draw(
        cls,
        rounds: int,
        clusters: Clusters = None,
        *,
        rng: np.random.Generator,
        num_samples: int = 1000,
    ) -> "Resamples":
        """Draw with replacement, each time as many as there are and one.

        Args:
            rounds: Logged rounds.
            clusters: Slate or reader of each, kept together; None when rounds are independent.
            rng: Source of chance.
            num_samples: Bootstrap resamples.
        """
        unit = np.arange(rounds)
        if clusters is not None:
            unit = np.unique(clusters, return_inverse=True)[1]
        block = blocks(int(unit.max()) + 1, rng=rng)
        size = int(block.max()) + 2
        counts = np.empty((num_samples, size), dtype=np.int32)
        for sample in counts:
            sample[:] = np.bincount(rng.integers(size, size=size), minlength=size)
        return cls(unit, block, counts)

    def sums(self, terms: Terms) -> Float[np.ndarray, "units columns"]:
        """Numerators of each unit, then as many denominators."""
        ones = np.ones(len(terms.direct))
        both = np.column_stack([terms.direct, terms.correction, ones, terms.normaliser])
        return _sums_by(both, self.unit)

    def values(
        self, sums: Float[np.ndarray, "units columns"], *unseen: Float[np.ndarray, " columns"]
    ) -> list[Float[np.ndarray, " samples"]]:
        """Estimates of all resamples, for each candidate for the unit that was not seen."""
        blocks = _sums_by(sums, self.block)
        totals = np.concatenate(
            [
                self.counts[start : start + AT_ONCE, :-1].astype(float) @ blocks
                for start in range(0, len(self.counts), AT_ONCE)
            ]
        )
        return [_value(totals + self.counts[:, -1:] * one) for one in unseen]


def bootstrap(reach: Reach, resamples: Resamples, *, level: float = 0.95) -> Interval:
    """Percentile interval that resamples numerator and denominator together.

    A self-normalised estimate is a ratio of two sums over the same rounds; resampling its
    numerator alone would leave out the spread of the weights.

    Args:
        reach: Any estimator's terms.
        resamples: Of the same rounds.
        level: Coverage aimed at, in (0, 1).
    """
    value, tail = reach.logged.value, (1 - level) / 2
    lows, highs = resamples.values(resamples.sums(reach.logged), *_unseen(reach, resamples))
    low, high = float(np.quantile(lows, tail)), float(np.quantile(highs, 1 - tail))
    return Interval(value, min(low, value), max(high, value))


def empirical_bernstein(
    terms: Terms,
    *,
    spread: float,
    unit: Int[np.ndarray, " rounds"] | None = None,
    level: float = 0.95,
) -> Interval:
    r"""Interval good for every number of independent units, if no term varies by more than spread.

    .. math:: \bar x \pm \sqrt{2 V \ln(4/\delta) / n} + \frac{7 R \ln(4/\delta)}{3(n-1)}

    Maurer and Pontil, 2009, arXiv:0907.3740, theorem 4, both sides, of the n means of the units. A
    self-normalised estimate has no such bound, nor has a mean over units of unequal size, which is
    a ratio too: their interval is NaN.

    Args:
        terms: An estimator's terms.
        spread: Largest minus smallest value a term can take; for IPS the maximal weight times the
            maximal reward.
        unit: Cluster of each round, from 0; None when rounds are independent.
        level: Coverage, in (0, 1).
    """
    unit = np.arange(len(terms.direct)) if unit is None else unit
    sizes = np.bincount(unit)
    if terms.is_self_normalised or len(sizes) < 2 or (sizes != sizes[0]).any():
        return Interval(terms.value, np.nan, np.nan)
    means = np.bincount(unit, terms.per_round) / sizes
    log, units = np.log(4 / (1 - level)), len(sizes)
    margin = np.sqrt(2 * means.var(ddof=1) * log / units) + 7 * spread * log / (3 * (units - 1))
    return Interval(terms.value, float(terms.value - margin), float(terms.value + margin))


def _unseen(
    reach: Reach, resamples: Resamples
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
    """Sums of the unit that was not seen, for the lower and the upper end.

    A mean over units, each with its rewards at the extreme, in proportion to what that would
    change: units of weight w count w times, as they would among events of the new policy.
    """
    logged = resamples.sums(reach.logged)
    columns = logged.shape[1] // 2
    below = logged[:, columns:].mean(axis=0)
    rounds = []
    for extreme, sign in ((reach.lowest, -1.0), (reach.highest, 1.0)):
        sums = resamples.sums(extreme)
        change = _ratio((sums - logged)[:, :columns], below).sum(axis=1) * sign
        share = np.maximum(change, 0.0)
        total = share.sum()
        rounds.append(share @ sums / total if total > 0 else sums.mean(axis=0))
    return rounds[0], rounds[1]


def _sums_by(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(unit, column) for column in values.T])


def _value(totals: Float[np.ndarray, "samples columns"]) -> Float[np.ndarray, " samples"]:
    columns = totals.shape[1] // 2
    return _ratio(totals[:, :columns], totals[:, columns:]).sum(axis=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return above / np.where(below > 0, below, 1.0)
