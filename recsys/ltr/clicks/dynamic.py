r"""Dynamic Bayesian network: readers go down, may be satisfied by a click, may give up.

Examined documents are clicked with :math:`\alpha_d`; a click satisfies with :math:`\sigma_d` and
ends the session; otherwise the next position is examined with :math:`\gamma`. Chapelle and Zhang,
2009, doi:10.1145/1526709.1526711; EM by their forward-backward recursion.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.ltr.clicks.sessions import Fitted, Sessions, share


@dataclass(frozen=True)
class DynamicBayesian:
    """How readers go on."""

    continuation: float
    """Chance to look at the next position when not satisfied, in (0, 1]."""
    satisfaction: Float[np.ndarray, " documents"]
    """Chance that a click on the document ends the session."""

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw clicks from the top down."""
        liked = rng.random(shown.shape) < appeal[shown]
        stopped = rng.random(shown.shape) < self.satisfaction[shown]
        gave_up = rng.random(shown.shape) >= self.continuation
        ended = (liked & stopped) | gave_up
        before = np.column_stack([np.zeros(len(shown), dtype=bool), ended[:, :-1]])
        return liked & ~np.logical_or.accumulate(before, axis=1)

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Click probabilities, by the chance that each position was examined."""
        liked = np.where(sessions.mask, appeal[sessions.documents], 0.0)
        satisfied = self.satisfaction[sessions.documents]
        examined = np.ones(len(liked))
        chances = np.empty(liked.shape)
        for k in range(liked.shape[1]):
            chances[:, k] = examined * liked[:, k]
            skipped = examined * (1 - liked[:, k]) / np.maximum(1 - chances[:, k], 1e-12)
            on = np.where(sessions.clicks[:, k], 1 - satisfied[:, k], skipped)
            examined = self.continuation * on
        return chances


def fit(sessions: Sessions, num_documents: int, num_iterations: int = 50) -> Fitted:
    """Estimate continuation, appeal and satisfaction by EM."""
    clicks = sessions.clicks.astype(float)
    clicked = sessions.by_document(clicks, num_documents)
    continuation = 0.7
    appeal, satisfaction = np.full(num_documents, 0.3), np.full(num_documents, 0.3)
    for _ in range(num_iterations):
        examined, content = _posterior(sessions, appeal, satisfaction, continuation)
        going = np.where(sessions.clicks, examined - content, examined)[:, :-1]
        going = going * sessions.mask[:, 1:]
        on = examined[:, 1:] * sessions.mask[:, 1:]
        continuation = float(np.clip(on.sum() / max(going.sum(), 1e-12), 1e-6, 1 - 1e-6))
        appeal = share(clicked, sessions.by_document(examined, num_documents))
        satisfaction = share(sessions.by_document(content, num_documents), clicked)
    return Fitted(DynamicBayesian(continuation, satisfaction), appeal)


def _posterior(
    sessions: Sessions,
    appeal: Float[np.ndarray, " documents"],
    satisfaction: Float[np.ndarray, " documents"],
    continuation: float,
) -> tuple[Float[np.ndarray, "sessions length"], Float[np.ndarray, "sessions length"]]:
    """Chance that each position was examined and that each click satisfied, given all clicks."""
    liked, satisfied = appeal[sessions.documents], satisfaction[sessions.documents]
    quiet = _silence(np.where(sessions.mask, liked, 0.0), continuation)
    clicks = sessions.clicks
    later = np.logical_or.accumulate(clicks[:, ::-1], axis=1)[:, ::-1]  # a click here or below
    examined, content = np.ones(liked.shape), np.zeros(liked.shape)
    for k in range(liked.shape[1]):
        last = clicks[:, k] & ~(later[:, k + 1] if k + 1 < liked.shape[1] else False)
        stayed = (1 - satisfied[:, k]) * (1 - continuation + continuation * quiet[:, k + 1])
        content[:, k] = np.where(last, satisfied[:, k] / (satisfied[:, k] + stayed), 0.0)
        if k + 1 == liked.shape[1]:
            break
        on = continuation * quiet[:, k + 1] / (1 - continuation + continuation * quiet[:, k + 1])
        seen = np.where(clicks[:, k], 1 - content[:, k], examined[:, k]) * on
        examined[:, k + 1] = np.where(later[:, k + 1], 1.0, seen)
    return examined, content


def _silence(
    liked: Float[np.ndarray, "sessions length"], continuation: float
) -> Float[np.ndarray, "sessions length_plus_one"]:
    """Chance of no click from each position on, once that position is examined."""
    quiet = np.ones((liked.shape[0], liked.shape[1] + 1))
    for k in range(liked.shape[1] - 1, -1, -1):
        quiet[:, k] = (1 - liked[:, k]) * (1 - continuation + continuation * quiet[:, k + 1])
    return quiet
