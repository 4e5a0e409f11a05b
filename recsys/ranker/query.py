"""What is asked of a ranker, and what it answers: plain values, rows instead of ids."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float16, Float32, Int64

Rows = Int64[np.ndarray, " _rows"]  # of any length: the underscore switches the check of it off
NO_ROWS: Rows = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Condition:
    """What a shown news must fulfil; every part that is set must hold."""

    categories: frozenset[str] = frozenset()
    """Empty: any."""
    providers: frozenset[str] = frozenset()
    """Empty: any."""
    published_after: int | None = None
    """Seconds since the epoch; news of that second or later. News without a time are left out."""


@dataclass(frozen=True)
class Query:
    """One reader's slate to fill."""

    vector: Float16[np.ndarray, " dim"] | None
    """The reader; None asks for the popular rung."""
    k: int
    """News wanted, at least 1."""
    rows: Rows | None = None
    """Candidates as catalogue rows, duplicates allowed; None: the whole catalogue."""
    hidden: Rows = field(default_factory=NO_ROWS.copy)
    """Rows never to show: seen or excluded."""
    condition: Condition | None = None


@dataclass(frozen=True)
class Ranked:
    """A filled slate, best first; shorter than asked for when candidates run out."""

    rows: Int64[np.ndarray, " places"]
    scores: Float32[np.ndarray, " places"]
    propensities: Float32[np.ndarray, " places"]
    """Probability, in (0, 1], of this news at this place, given the places above it."""
