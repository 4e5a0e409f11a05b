"""What an attacker has to guess: the values of an attribute that enough readers hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Target:
    """Which readers can be attacked for an attribute, and what the attacker has to guess."""

    kept: Bool[np.ndarray, " all_readers"]
    labels: Int[np.ndarray, " readers"] | None
    """Index into ``large`` of each kept reader; None with fewer than two large values."""
    large: dict[str, int]
    too_small: dict[str, int]
    missing: int

    @classmethod
    def of(cls, values: Sequence[str | None], min_readers: int) -> "Target":
        """Sort the values of an attribute into large, too small and missing."""
        counts = Counter(value for value in values if value is not None)
        large = {value: number for value, number in sorted(counts.items()) if number >= min_readers}
        small = {value: number for value, number in sorted(counts.items()) if number < min_readers}
        missing = len(values) - counts.total()
        kept = np.array([value in large for value in values], dtype=bool)
        if len(large) < 2:
            return cls(kept, None, {}, small | large, missing)
        names = {value: number for number, value in enumerate(large)}
        labels = np.array([names[value] for value in values if value in large])
        return cls(kept, labels, large, small, missing)
