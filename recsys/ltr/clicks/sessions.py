"""Logged sessions as rectangles, and what every click model does with them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.data.queries import ClickLog

PRIOR = 1.0
"""Pseudo-sessions with half a success that every share starts from."""


@dataclass(frozen=True)
class Sessions:
    """Column k is position k + 1; ``mask`` is False where nothing was shown."""

    documents: Int[np.ndarray, "sessions length"]
    clicks: Bool[np.ndarray, "sessions length"]
    mask: Bool[np.ndarray, "sessions length"]

    def by_document(
        self, values: Float[np.ndarray, "sessions length"], num_documents: int
    ) -> Float[np.ndarray, " documents"]:
        """Sum values over every showing of each document."""
        return np.bincount(
            self.documents[self.mask], weights=values[self.mask], minlength=num_documents
        )

    def by_position(
        self, values: Float[np.ndarray, "sessions length"]
    ) -> Float[np.ndarray, " length"]:
        """Mean of the values at each position; 0 where nothing was ever shown."""
        return (values * self.mask).sum(axis=0) / np.maximum(self.mask.sum(axis=0), 1)

    def last_click(self) -> Int[np.ndarray, "sessions length"]:
        """1-based position of the last click strictly above each position; 0: none."""
        place = np.arange(1, self.clicks.shape[1] + 1) * self.clicks
        above = np.maximum.accumulate(place, axis=1)
        return np.column_stack([np.zeros(len(place), dtype=above.dtype), above[:, :-1]])


class ClickModel(Protocol):
    """What is known of readers and places, whatever the documents."""

    def simulate(
        self,
        appeal: Float[np.ndarray, " documents"],
        shown: Int[np.ndarray, "sessions length"],
        rng: np.random.Generator,
    ) -> Bool[np.ndarray, "sessions length"]:
        """Draw clicks on the documents shown, first position first."""

    def probabilities(
        self, appeal: Float[np.ndarray, " documents"], sessions: Sessions
    ) -> Float[np.ndarray, "sessions length"]:
        """Probability of a click at each position, given the clicks above it."""


@dataclass(frozen=True)
class Fitted:
    """A model estimated from a log, and the appeal of the documents in it."""

    model: ClickModel
    appeal: Float[np.ndarray, " documents"]


def rectangle(log: ClickLog, length: int) -> Sessions:
    """Lay a log out by position; showings below ``length`` are left out."""
    session = np.repeat(np.arange(len(log)), np.diff(log.offsets))
    kept = log.positions <= length
    at = session[kept], log.positions[kept] - 1
    shape = (len(log), length)
    documents, clicks, mask = (np.zeros(shape, kind) for kind in (np.int64, bool, bool))
    documents[at], clicks[at], mask[at] = log.documents[kept], log.clicks[kept], True
    return Sessions(documents, clicks, mask)


def share(
    part: Float[np.ndarray, " parameters"], whole: Float[np.ndarray, " parameters"]
) -> Float[np.ndarray, " parameters"]:
    """Part of the whole, drawn towards one half where there is little to see."""
    return (part + PRIOR / 2) / (whole + PRIOR)
