"""Whether a log can speak about a new policy at all, and which estimate of it to believe."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recsys.evaluation.offpolicy import Rounds, Terms

MIN_EFFECTIVE = 200
"""Below so many effective rounds intervals of weighted estimates are not to be relied on."""
MAX_UNSUPPORTED = 0.01
"""Share of the new policy's choices that the log may miss."""
MAX_SHARE = 0.05
"""Share of all weight that one round may hold."""
NUM_ERRORS = 4.0
"""Standard errors by which the mean weight may be off 1 before propensities are in doubt."""


@dataclass(frozen=True)
class Overlap:
    """Diagnostics of the weights of one log and one policy."""

    rounds: int
    effective_sample_size: float
    """:math:`(\\sum w)^2 / \\sum w^2`, between 1 and the number of rounds (Kish, 1965)."""
    max_weight: float
    mean_weight: float
    """1 up to chance, if the propensities are right and the log covers the policy."""
    mean_weight_error: float
    """Standard error of the mean weight."""
    clipped_mass: float
    """Share of the weight that clipping at ``limit`` would take away."""
    unsupported: float
    """Probability that the new policy does what the log never does; NaN if that is unknown."""
    warnings: list[str]

    @property
    def is_sufficient(self) -> bool:
        """False: read the warnings before any number."""
        return not self.warnings


def overlap(weights: Rounds, *, limit: float, unsupported: float = float("nan")) -> Overlap:
    """Examine weights before any estimate is made of them.

    Args:
        weights: New over logging probability of each logged action.
        limit: Where clipped estimators would clip.
        unsupported: See :func:`unsupported_mass`.
    """
    total = weights.sum()
    found = Overlap(
        rounds=len(weights),
        effective_sample_size=effective_sample_size(weights),
        max_weight=float(weights.max(initial=0.0)),
        mean_weight=float(weights.mean()),
        mean_weight_error=float(weights.std() / np.sqrt(len(weights))),
        clipped_mass=float((weights - np.minimum(weights, limit)).sum() / total) if total else 0.0,
        unsupported=unsupported,
        warnings=[],
    )
    found.warnings.extend(_warnings(found))
    return found


def effective_sample_size(weights: Rounds) -> float:
    """How many equally weighted rounds say as much; 0 if no round has weight."""
    largest = weights.max(initial=0.0)
    if largest == 0:
        return 0.0
    scaled = weights / largest  # squares of the weights themselves may be beyond any number
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def unsupported_mass(
    policy: Float[np.ndarray, "rounds actions"], logging: Float[np.ndarray, "rounds actions"]
) -> float:
    """Mean probability that the new policy gives to actions the log cannot show.

    Args:
        policy: The new policy's probabilities, each row a distribution.
        logging: The logging policy's, or how often the log shows each action in that context: 0
            means never.
    """
    return float(np.where(logging > 0, 0.0, policy).sum(axis=1).mean())


def trusted(found: Overlap, has_model: bool, disagreement: float) -> list[str]:
    """Say in words which estimators to trust.

    Args:
        found: The overlap.
        has_model: Whether a reward model was fitted.
        disagreement: Distance between direct and self-normalised weighted estimate in standard
            errors of the latter.
    """
    sound, cut, plain = "IPS and SNIPS", "clipped IPS or SNIPS", "plain IPS"
    if has_model:
        sound, cut = "SNIPS, DR and self-normalised DR", "DRos or switch-DR"
        plain = "plain IPS and DR"
    if found.is_sufficient and disagreement <= 2:
        return [f"The log covers this policy: {sound} are sound."]
    words = []
    if found.unsupported > MAX_UNSUPPORTED:
        words.append(
            "No weighted estimator sees what the log never did; only the reward model "
            "speaks about it, by extrapolation. Collect exploratory data first."
        )
    elif not found.is_sufficient:
        words.append(
            f"Weights are extreme: prefer {cut} over {plain}, "
            "and read the interval rather than the value."
        )
    if has_model and disagreement > 2:
        words.append(
            "The reward model and the weighted estimates contradict each other: "
            "do not use the direct method."
        )
    return words


def distance(model: Terms, weighted: Terms) -> float:
    """Gap between two estimates in standard errors of the second; 0 without spread."""
    error = weighted.error
    if error == 0 or math.isclose(model.value, weighted.value):  # rounding has no standard error
        return 0.0
    return abs(model.value - weighted.value) / error


def _warnings(found: Overlap) -> list[str]:
    texts = []
    if found.unsupported > MAX_UNSUPPORTED:
        texts.append(f"{found.unsupported:.1%} of the new policy's choices never occur in the log")
    error = found.mean_weight_error
    if abs(found.mean_weight - 1) > max(NUM_ERRORS * error, 1e-6):
        texts.append(
            f"mean weight {found.mean_weight:.3f} (standard error {error:.3f}) is not 1: "
            "propensities are wrong or support is missing"
        )
    if found.effective_sample_size < MIN_EFFECTIVE:
        texts.append(
            f"effective sample size {found.effective_sample_size:.0f} of {found.rounds} rounds"
        )
    total = found.mean_weight * found.rounds
    if total and found.max_weight / total > MAX_SHARE:
        texts.append(f"one round holds {found.max_weight / total:.0%} of all weight")
    return texts
