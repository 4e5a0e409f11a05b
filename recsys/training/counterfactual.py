r"""Clicks that depend on having been seen, made to count as if everything had been.

What a click counts is an estimate of relevance by `recsys.losses.counterfactual`, made once for the
whole training log, so that a mini-batch's gradient is an unbiased draw of the log's:

* **ips**: :math:`w`, the weight that `recsys propensity` wrote. Unbiased; the ranking loss grows by
  the mean weight, and the fairness losses beside it count the less.
* **snips**: :math:`w \sum c / \sum w c`, sums over the training *log*. A softmax loss is a sum over
  clicks, so this is the self-normalised estimate itself: the minimiser of ips at the scale of
  unweighted clicks, which keeps the fairness settings' meaning. Sums over each batch would be
  biased: a batch without a heavy click would raise all the others.
* **dr**: clipping takes from what was rarely looked at, an imputation gives it back. With
  :math:`w = \min(1/p, \mathrm{cap})` a click counts :math:`\tilde r + w (1 - p \tilde r)`, and a
  news shown without a click :math:`\tilde r (1 - w p)`: 0 unless the cap bites, as examination is
  not observed. The latter are samples of their own. At the scale of snips.

Which propensity is right depends on what a click is compared with. Against news of *its slate* it
is that of being looked at (``harvesting``, ``em``): both were shown, and a weight by the rate of
being shown would promote what was rarely shown for that alone. Against news of the *catalogue*
(``loader.slate_negatives = 0``), being shown counts as well (``rate`` x ``harvesting``).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from pydantic import PositiveFloat

from recsys.config import Config
from recsys.data.reading_log import ReadingLog
from recsys.data.splits import Questions
from recsys.losses.counterfactual import doubly_robust, ips, snips
from recsys.training.seen import Seen


class CounterfactualConfig(Config):
    """How propensities are used by training."""

    estimator: Literal["ips", "snips", "dr"] = "snips"
    """See `recsys.training.counterfactual`."""
    clip: PositiveFloat = 20.0
    """Largest weight of a click, in multiples of the training clicks' mean weight."""


@dataclass(frozen=True)
class Imputed:
    """News that were shown, not clicked, and are taken to be liked a little all the same."""

    impression: Int[np.ndarray, " imputed"]
    gain: Float32[np.ndarray, " imputed"]
    """What each counts, above 0, where a click counts 1 on average."""

    @property
    def per_epoch(self) -> int:
        """Samples of an epoch: as many as they are worth clicks, at least one."""
        return max(1, round(float(self.gain.sum(dtype=np.float64))))

    @property
    def share(self) -> float:
        """What a drawn sample counts, so that an epoch's draw is worth what all are."""
        return float(self.gain.sum(dtype=np.float64)) / self.per_epoch

    def draw(self, rng: np.random.Generator) -> Int[np.ndarray, " samples"]:
        """Draw an epoch's rows of ``impression`` in proportion to their gain."""
        chance = self.gain.astype(np.float64)
        return rng.choice(len(chance), self.per_epoch, p=chance / chance.sum())


@dataclass(frozen=True)
class Counted:
    """What impressions count in training, in the order of the reading log."""

    weights: Float32[np.ndarray, " impressions"]
    """Of a click, at least 0; means nothing for news that were not clicked."""
    imputed: Imputed | None = None


def count(
    log: ReadingLog, train: Int[np.ndarray, " clicks"], seen: Seen, config: CounterfactualConfig
) -> Counted:
    """Estimate what training clicks count and, doubly robust, what else does.

    Args:
        log: Clicks and impressions.
        train: Clicks that may be learned from; no other click is looked at.
        seen: Estimates for each impression.
        config: How they are used.
    """
    clicked = log.clicks.impression[train]
    if config.estimator == "dr":
        return _doubly_robust(log, train, seen, config)
    # All are clipped, not the training clicks' alone: those of validation choose the epoch.
    weights = _clipped(seen.weight, clicked, config.clip)
    logged = torch.from_numpy(weights[None, clicked])
    estimate = {"ips": ips, "snips": snips}[config.estimator](torch.ones_like(logged), logged)
    return Counted(weights * np.float32(float(estimate.sum()) / float(logged.sum())))


def _doubly_robust(
    log: ReadingLog, train: np.ndarray, seen: Seen, config: CounterfactualConfig
) -> Counted:
    clicked = log.clicks.impression[train]
    inverse = 1 / seen.propensity
    weights = _clipped(inverse, clicked, config.clip)
    scale = np.float32(1 / weights[clicked].mean(dtype=np.float64))

    def estimate(clicks: np.ndarray) -> Float32[np.ndarray, " impressions"]:
        found = doubly_robust(
            torch.from_numpy(clicks[None]),
            torch.from_numpy(weights[None]),
            torch.from_numpy(seen.propensity[None]),
            torch.from_numpy(seen.imputed[None]),
            torch.ones(1, len(clicks), dtype=torch.bool),
        )
        return found[0].numpy() * scale

    by_then = log.shown.offsets[log.clicks.slate[train].max() + 1]
    clipped = (weights < inverse) & ~log.shown.clicked
    missed = np.flatnonzero(clipped[:by_then])
    gain = estimate(np.zeros_like(weights))[missed]
    missed, gain = missed[gain > 0], gain[gain > 0]
    return Counted(estimate(np.ones_like(weights)), Imputed(missed, gain) if len(gain) else None)


def choosing_weights(log: ReadingLog, questions: Questions) -> Float[np.ndarray, " events"]:
    """Weigh held-out events as their clicks count, so that the epoch is chosen as it is trained.

    The mean of nDCG so weighted is the self-normalised estimate of what it would be had everything
    been looked at: exactly so for slates with one click. An event with more weighs their mean.
    """
    first = log.shown.offsets[:-1]
    weights = np.where(log.shown.clicked, log.shown.weights, 0)
    total = np.add.reduceat(weights, first, dtype=np.float64)
    number = np.add.reduceat(log.shown.clicked, first, dtype=np.int64)
    return (total / np.maximum(number, 1))[questions.slate]


def _clipped(
    weights: Float32[np.ndarray, " impressions"], clicked: Int[np.ndarray, " clicks"], clip: float
) -> Float32[np.ndarray, " impressions"]:
    """Lower weights to ``clip`` times the mean weight of training clicks."""
    return np.minimum(weights, np.float32(clip * weights[clicked].mean(dtype=np.float64)))
