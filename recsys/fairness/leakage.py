"""Leakage: how well the best of several attackers tells a reader's attribute from the vector.

Half is nothing. An AUC as far below one half is as suspicious as one above (an erasure fitted on
the attacked readers turns a linear attacker round), so leakage is measured from the middle:
0.5 + |AUC - 0.5|.

The best of several attackers looks better than it is: the largest of four noisy numbers is above
each one's mean. The intervals allow for it: they hold for all attackers of an attribute at once
(the largest standardised deviation over attackers, bootstrapped over readers: Romano and Wolf,
2005, doi:10.1198/016214504000000539), so the best one's interval needs no correction.

Resampling finished scores knows nothing of the noise that the shared training readers bring into
cross-validation. Without it, intervals on random vectors would hold 0.5 in 80 % of cases instead
of 95 %; they are widened by Nadeau and Bengio's factor (2003, doi:10.1023/A:1024068626366).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt, field_validator

from recsys.config import Config
from recsys.errors import InputError
from recsys.fairness.attackers import ATTACKERS, NUM_FOLDS, folds, out_of_fold
from recsys.fairness.auc import PairwiseAuc, resamples
from recsys.fairness.target import Target

CROSS_VALIDATION_FACTOR = np.sqrt(1 + NUM_FOLDS / (NUM_FOLDS - 1))
"""Standard error with the training readers' noise over that without: (1/k + 1/(k-1)) / (1/k)
under the root for k folds. Measured on random vectors: 1.3 to 1.5."""


class LeakageConfig(Config):
    """How the attack is carried out."""

    attackers: tuple[str, ...] = Field(default=tuple(ATTACKERS), min_length=1)
    """Names from :data:`recsys.fairness.attackers.ATTACKERS`."""
    min_readers: int = Field(default=30, ge=NUM_FOLDS)
    """A value with fewer readers is not attacked; at least 5, one a fold."""
    level: float = Field(default=0.95, gt=0, lt=1)
    """Of the intervals."""
    num_samples: PositiveInt = 1000
    """Bootstrap resamples."""

    @field_validator("attackers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in ATTACKERS]:
            raise ValueError(f"expected some of {', '.join(ATTACKERS)}, found {unknown[0]!r}")
        return names


@dataclass(frozen=True)
class Attack:
    """What one attacker found; ``low`` and ``high`` hold for all attackers at once."""

    attacker: str
    auc: float
    """One value against the rest, averaged over values."""
    low: float
    high: float

    @property
    def leakage(self) -> float:
        """Distance from chance, as an AUC of at least one half."""
        return 0.5 + abs(self.auc - 0.5)

    @property
    def highest_leakage(self) -> float:
        """The interval's far end, on whichever side of one half."""
        return 0.5 + max(abs(self.low - 0.5), abs(self.high - 0.5))


@dataclass(frozen=True)
class Leakage:
    """What all attackers found of one attribute."""

    attacks: list[Attack]
    """Empty: insufficient data."""
    values: dict[str, int]
    """Readers of each value that was attacked."""
    too_small: dict[str, int] = field(default_factory=dict)
    """Readers of each value that is too small to be attacked."""
    missing: int = 0
    """Readers who do not state the attribute; they are left out."""
    samples: Float[np.ndarray, "attackers samples"] | None = field(
        default=None, repr=False, compare=False
    )
    """AUC of each attacker on each resample of the readers; of two findings with one seed on the
    same readers the resamples are the same, for :func:`difference`."""

    @property
    def best(self) -> Attack | None:
        """The attacker furthest from chance; None with insufficient data."""
        return max(self.attacks, key=lambda attack: attack.leakage, default=None)

    @property
    def readers(self) -> int:
        """How many readers were attacked."""
        return sum(self.values.values())

    @property
    def unmeasured(self) -> float:
        """Share of those who state the attribute whose value is too small, in [0, 1]."""
        small = sum(self.too_small.values())
        return small / max(1, small + self.readers)


def leakage(
    vectors: Float[np.ndarray, "readers dim"],
    values: Sequence[str | None],
    *,
    rng: np.random.Generator,
    config: LeakageConfig | None = None,
    on_attacker: Callable[[str], None] = lambda attacker: None,
) -> Leakage:
    """Attack one attribute of the vectors as they would be served.

    Args:
        vectors: One row a reader. Readers known to whoever fitted an erasure do not belong here.
        values: The attribute of each; None where it is not stated.
        rng: Of folds, attackers and bootstrap.
        config: How the attack is carried out.
        on_attacker: Told the name of each attacker that is done.

    Raises:
        InputError: A number of the vectors is not finite.
    """
    config = config or LeakageConfig()
    if wrong := int((~np.isfinite(vectors).all(axis=1)).sum()):
        raise InputError(f"vectors of {wrong:,} readers hold numbers that are not finite")
    target = Target.of(values, config.min_readers)
    if target.labels is None:
        return Leakage([], target.large, target.too_small, target.missing)
    seed = int(rng.integers(2**31))
    fold, kept = folds(target.labels, seed), vectors[target.kept].astype(np.float64)
    scores = {}
    for name in config.attackers:
        scores[name] = out_of_fold(ATTACKERS[name], kept, target.labels, fold, seed)
        on_attacker(name)
    attacks, samples = judge(scores, target.labels, fold, rng=rng, config=config)
    return Leakage(attacks, target.large, target.too_small, target.missing, samples)


def difference(a: Leakage, b: Leakage, *, level: float = 0.95) -> tuple[float, float, float] | None:
    """How much more ``a`` leaks than ``b``: the best attackers' leakages, with a paired interval.

    Both must be found on the same readers with the same seed and settings.

    Returns:
        Difference, low, high; None where either is insufficient data.
    """
    if a.best is None or b.best is None:
        return None
    ours, theirs = _of_best(a), _of_best(b)
    point = a.best.leakage - b.best.leakage
    spread = CROSS_VALIDATION_FACTOR * (ours - theirs - (ours - theirs).mean())
    tail = [(1 - level) / 2, (1 + level) / 2]
    low, high = point + np.quantile(spread, tail)
    return point, float(low), float(high)


def _of_best(found: Leakage) -> Float[np.ndarray, " samples"]:
    """Resampled leakage of the best attacker, on its own side of one half."""
    assert found.best is not None and found.samples is not None
    auc = found.samples[found.attacks.index(found.best)]
    return auc if found.best.auc >= 0.5 else 1 - auc


def judge(
    scores: Mapping[str, Float[np.ndarray, "readers classes"]],
    labels: Int[np.ndarray, " readers"],
    fold: Int[np.ndarray, " readers"],
    *,
    rng: np.random.Generator,
    config: LeakageConfig,
) -> tuple[list[Attack], Float[np.ndarray, "attackers samples"]]:
    """AUC of each attacker's out-of-fold scores, with intervals that hold for all at once.

    Returns:
        The attacks, and their AUC on each resample of the readers.
    """
    measures = [_macro_auc(each, labels, fold) for each in scores.values()]
    once = np.ones((1, len(labels)))
    points = np.array([measure(once)[0] for measure in measures])
    blocks = resamples(labels, rng=rng, num_samples=config.num_samples)
    samples = np.concatenate([[measure(w) for measure in measures] for w in blocks], axis=1)
    margin = _simultaneous_margin(samples, config.level)
    low, high = np.clip(points - margin, 0, 1), np.clip(points + margin, 0, 1)
    attacks = [
        Attack(name, *map(float, numbers))
        for name, *numbers in zip(scores, points, low, high, strict=True)
    ]
    return attacks, samples


def _macro_auc(
    scores: Float[np.ndarray, "readers classes"],
    labels: Int[np.ndarray, " readers"],
    fold: Int[np.ndarray, " readers"],
) -> Callable[[np.ndarray], Float[np.ndarray, " samples"]]:
    """One class against the rest, averaged; of two classes one says it all."""
    classes = range(scores.shape[1]) if scores.shape[1] > 2 else [1]
    each = [PairwiseAuc(scores[:, number], labels == number, fold) for number in classes]
    return lambda weights: np.mean([measure(weights) for measure in each], axis=0)


def _simultaneous_margin(
    samples: Float[np.ndarray, "attackers samples"], level: float
) -> Float[np.ndarray, " attackers"]:
    """Half widths such that all intervals hold at once with probability ``level``."""
    spread = np.maximum(samples.std(axis=1), 1e-12)
    deviation = np.abs(samples - samples.mean(axis=1, keepdims=True)) / spread[:, None]
    quantile = float(np.quantile(deviation.max(axis=0), level))
    return quantile * CROSS_VALIDATION_FACTOR * spread
