"""Cascade model: the reader goes down the list, clicks once and leaves.

Craswell et al., 2008, doi:10.1145/1341531.1341545.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.ltr.clicks.sessions import Fitted, Sessions, share


@dataclass(frozen=True)
class Cascade:
    """No parameter of its own: a position is examined if nothing above was clicked."""

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw the one click of each session, if it comes to one."""
        liked = rng.random(shown.shape) < appeal[shown]
        return liked & (np.cumsum(liked, axis=1) == 1)

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Click probabilities; 0 below a click."""
        return np.where(sessions.last_click() == 0, appeal[sessions.documents], 0.0)


def fit(sessions: Sessions, num_documents: int, num_iterations: int = 1) -> Fitted:
    """Estimate appeal: clicks over examinations; clicks below the first are left out.

    Args:
        sessions: The log.
        num_documents: Documents in all.
        num_iterations: Of no effect: the likelihood has a closed maximum.
    """
    examined = (sessions.last_click() == 0).astype(float)
    clicks = sessions.by_document(examined * sessions.clicks, num_documents)
    return Fitted(Cascade(), share(clicks, sessions.by_document(examined, num_documents)))
