r"""Position-based model: clicked when examined and appealing, :math:`P(c) = \theta_k \alpha_d`.

Richardson et al., 2007, doi:10.1145/1242572.1242643; EM as in Chuklin et al., 2015,
doi:10.2200/S00654ED1V01Y201507ICR043, section 4.1. Only ratios of :math:`\theta` are identified:
the fit scales it to 1 at the first position.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.ltr.clicks.sessions import Fitted, Sessions, share


@dataclass(frozen=True)
class PositionBased:
    """Chance that each position is looked at, whatever happened above."""

    examination: Float[np.ndarray, " length"]

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw clicks; positions are independent, so all at once."""
        chance = self.examination[: shown.shape[1]] * appeal[shown]
        return rng.random(shown.shape) < chance

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Click probabilities; the clicks above say nothing."""
        return self.examination[: sessions.clicks.shape[1]] * appeal[sessions.documents]


def fit(sessions: Sessions, num_documents: int, num_iterations: int = 50) -> Fitted:
    """Estimate examination and appeal by EM: :func:`estimate` in the form of the other models."""
    examined, appeal = estimate(sessions, num_documents, num_iterations)
    return Fitted(PositionBased(examined), appeal)


def estimate(
    sessions: Sessions, num_documents: int, num_iterations: int = 50
) -> tuple[Float[np.ndarray, " length"], Float[np.ndarray, " documents"]]:
    """Estimate examination, 1 at the first position, and appeal.

    Documents must have been seen at several positions: from one fixed order alone the two cannot
    be told apart.
    """
    examined = np.linspace(0.9, 0.5, sessions.clicks.shape[1])
    appeal = np.full(num_documents, 0.5)
    shown = sessions.by_document(np.ones(sessions.clicks.shape), num_documents)
    for _ in range(num_iterations):
        both = appeal[sessions.documents]
        skipped = 1 - examined * both
        seen = np.where(sessions.clicks, 1.0, examined * (1 - both) / skipped)
        liked = np.where(sessions.clicks, 1.0, (1 - examined) * both / skipped)
        examined = np.clip(sessions.by_position(seen), 1e-6, 1 - 1e-6)
        appeal = share(sessions.by_document(liked, num_documents), shown)
    return examined / examined[0], np.minimum(appeal * examined[0], 1.0)
