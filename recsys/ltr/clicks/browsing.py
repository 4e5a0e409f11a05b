r"""User browsing model: examination depends on the position and on how far the last click is.

:math:`P(c_k) = \gamma_{k, k'} \alpha_d`, k' the last clicked position above (0: none). Dupret and
Piwowarski, 2008, doi:10.1145/1390334.1390392.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.ltr.clicks.sessions import Fitted, Sessions, share


@dataclass(frozen=True)
class UserBrowsing:
    """Row k is position k + 1, column k' the last click above it; only k' <= k is used."""

    examination: Float[np.ndarray, "length length_plus_one"]

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw clicks from the top down."""
        draws, liked = rng.random(shown.shape), appeal[shown]
        clicks = np.zeros(shown.shape, dtype=bool)
        last = np.zeros(len(shown), dtype=np.int64)
        for k in range(shown.shape[1]):
            clicks[:, k] = draws[:, k] < self.examination[k, last] * liked[:, k]
            last = np.where(clicks[:, k], k + 1, last)
        return clicks

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Click probabilities, by position and last click."""
        row = np.arange(sessions.clicks.shape[1])
        return self.examination[row, sessions.last_click()] * appeal[sessions.documents]


def fit(sessions: Sessions, num_documents: int, num_iterations: int = 50) -> Fitted:
    """Estimate examination and appeal by EM; examination is scaled to 1 at the first position.

    There are as many examinations as pairs of positions, most of them rarely seen: like appeals
    they are drawn towards one half.
    """
    length = sessions.clicks.shape[1]
    cell = np.arange(length) * (length + 1) + sessions.last_click()
    examined = np.repeat(np.linspace(0.9, 0.5, length), length + 1)
    appeal = np.full(num_documents, 0.5)
    shown = sessions.by_document(np.ones(cell.shape), num_documents)
    size = len(examined)
    visits = np.bincount(cell[sessions.mask], minlength=size)
    for _ in range(num_iterations):
        both, look = appeal[sessions.documents], examined[cell]
        skipped = 1 - look * both
        seen = np.where(sessions.clicks, 1.0, look * (1 - both) / skipped)
        liked = np.where(sessions.clicks, 1.0, (1 - look) * both / skipped)
        found = np.bincount(cell[sessions.mask], weights=seen[sessions.mask], minlength=size)
        examined = share(found, visits)
        appeal = share(sessions.by_document(liked, num_documents), shown)
    first = examined[0]
    table = (examined / first).reshape(length, length + 1)
    return Fitted(UserBrowsing(table), np.minimum(appeal * first, 1.0))
