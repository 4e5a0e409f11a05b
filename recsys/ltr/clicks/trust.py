r"""Trust bias: readers believe the top of the list and click there on what is not relevant.

.. math:: P(c) = \theta_k (\epsilon^+_k \gamma_d + \epsilon^-_k (1 - \gamma_d))

Agarwal et al., 2019, doi:10.1145/3308558.3313697. Only the products and, of those, affine
combinations are identified (Vardasbi et al., 2020, arXiv:2008.10242): the model keeps
:math:`\zeta^\pm_k = \theta_k \epsilon^\pm_k`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.ltr.clicks.sessions import Fitted, Sessions, share


@dataclass(frozen=True)
class TrustBias:
    """Chance of a click on a relevant and on an irrelevant document at each position."""

    relevant: Float[np.ndarray, " length"]
    irrelevant: Float[np.ndarray, " length"]

    @property
    def slope(self) -> Float[np.ndarray, " length"]:
        """What relevance adds at each position; its ratios are identified."""
        return self.relevant - self.irrelevant

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw clicks; ``appeal`` is the probability of being relevant."""
        return rng.random(shown.shape) < self._chance(appeal[shown])

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Click probabilities; the clicks above say nothing."""
        return self._chance(appeal[sessions.documents])

    def _chance(self, relevance: np.ndarray) -> np.ndarray:
        length = relevance.shape[1]
        return self.irrelevant[:length] + self.slope[:length] * relevance


def planted(examination: Float[np.ndarray, " length"]) -> TrustBias:
    r"""Trust as Vardasbi et al. simulate it: :math:`\epsilon^+ = 1 - (k+1)/100`, `.65 / k`.

    Section 5.1 of arXiv:2008.10242, k from 1.
    """
    rank = np.arange(1, len(examination) + 1)
    return TrustBias(examination * (1 - (rank + 1) / 100), examination * 0.65 / rank)


def fit(sessions: Sessions, num_documents: int, num_iterations: int = 100) -> Fitted:
    """Estimate both click curves and every document's relevance by EM."""
    length = sessions.clicks.shape[1]
    clicks = sessions.clicks.astype(float)
    relevant, irrelevant = np.linspace(0.8, 0.4, length), np.linspace(0.3, 0.05, length)
    relevance = np.full(num_documents, 0.5)
    shown = sessions.by_document(np.ones(clicks.shape), num_documents)
    for _ in range(num_iterations):
        prior = relevance[sessions.documents]
        yes = prior * np.where(sessions.clicks, relevant, 1 - relevant)
        no = (1 - prior) * np.where(sessions.clicks, irrelevant, 1 - irrelevant)
        posterior = yes / (yes + no)
        relevant = _rate(sessions, clicks, posterior)
        irrelevant = _rate(sessions, clicks, 1 - posterior)
        relevance = share(sessions.by_document(posterior, num_documents), shown)
    return Fitted(TrustBias(relevant, irrelevant), relevance)


def _rate(sessions: Sessions, clicks: np.ndarray, weight: np.ndarray) -> np.ndarray:
    shown = np.maximum(sessions.by_position(weight), 1e-12)
    weighted = sessions.by_position(weight * clicks) / shown
    return np.clip(weighted, 1e-6, 1 - 1e-6)
