"""The space in which interests and news live: one axis a topic, a section and a tone.

A news is a point with a 1 on its three axes; a reader's interest in it is the sum of the three
tastes. How attributes bend tastes is drawn with the world, so that no topic is anybody's by
decree.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from recsys.simulation.titles import Lexicon

SPREAD = {"topics": 1.0, "sections": 0.6, "tones": 0.5}
"""Standard deviation of readers' purely personal taste along the axes of each kind."""
SHIFT = {"topics": 0.3, "sections": 0.22, "tones": 0.1}
"""Shift of a taste by an attribute at bias 1, in standard deviations of the personal taste."""
CROSSED = 0.22
"""Weight with which a taste follows its partner's at bias 1; the attribute gives the sign."""
RESOLVE = 2.0
"""How soon a strong personal liking leaves the attribute nothing to say."""
CROSSED_PAIRS = 3


@dataclass(frozen=True, eq=False)
class Axes:
    """How many axes of each kind there are, and what is true of each axis."""

    topics: int
    sections: int
    tones: int
    spread: Float[np.ndarray, " dim"]
    """Standard deviation of personal taste."""
    shift: Float[np.ndarray, " dim"]
    """What an attribute adds or takes at bias 1, in units of ``spread``."""

    @classmethod
    def of(cls, lexicon: Lexicon) -> "Axes":
        """Return the axes on which the news of a lexicon are told apart."""
        counts = {name: len(getattr(lexicon, name)) for name in SPREAD}
        return cls(
            **counts,
            spread=np.repeat(list(SPREAD.values()), list(counts.values())),
            shift=np.repeat(list(SHIFT.values()), list(counts.values())),
        )

    def points(
        self,
        topics: Int[np.ndarray, " items"],
        sections: Int[np.ndarray, " items"],
        tones: Int[np.ndarray, " items"],
    ) -> Float[np.ndarray, "items dim"]:
        """Place news in the space."""
        points = np.zeros((len(topics), len(self.spread)), np.float32)
        rows = np.arange(len(topics))
        for axis in (topics, self.topics + sections, self.topics + self.sections + tones):
            points[rows, axis] = 1
        return points


@dataclass(frozen=True, eq=False)
class Bend:
    """What one attribute does to tastes: a shift for each value, and pairs of topics it crosses.

    The shift is what a linear attacker can find. A crossed pair is invisible to it: readers of
    one group who like the first topic also like the second, those of the other group dislike it,
    and on average both groups like both topics the same. What a reader likes very much for
    personal reasons is bent least, so that favourites tell less than the rest.
    """

    shift: Float[np.ndarray, "groups dim"]
    sign: Float[np.ndarray, " groups"]
    pairs: Int[np.ndarray, "pairs 2"]

    @classmethod
    def draw(cls, axes: Axes, groups: int, rng: np.random.Generator) -> "Bend":
        """Draw shifts that are zero on average over values."""
        shift = rng.standard_normal((groups, len(axes.spread)))
        shift -= shift.mean(axis=0)
        shift *= axes.shift / np.sqrt(np.mean(shift**2))
        pairs = rng.permutation(axes.topics)[: 2 * CROSSED_PAIRS].reshape(-1, 2)
        return cls(shift, np.where(np.arange(groups) % 2, 1.0, -1.0), pairs)

    def change(
        self, personal: Float[np.ndarray, "users dim"], values: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, "users dim"]:
        """Return what the attribute adds, at bias 1, to personal tastes of unit variance."""
        change = self.shift[values]
        first, second = self.pairs.T
        change[:, second] += CROSSED * self.sign[values, None] * personal[:, first]
        return change * 2 / (1 + np.exp(RESOLVE * personal))
