"""How hard the bias-free part is kept from giving readers away: as hard as it takes, no harder."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsys.losses.dependence import explained_by_others

BAND = 0.02
"""Of AUC: nearer than this to what is allowed, a weight moves the slower the nearer leakage is."""
SMALLEST, LARGEST = 0.06, 8.0
"""Weights of balance it stays between, unless it starts beyond: with less, on ML-100K, ranking
gained nothing and leakage grew; after more, embedding tables hardly moved any longer."""


class Pressure(nn.Module):
    """A penalty whose weight rises while attackers find more than allowed, and falls after.

    It minimises the ranking loss under a bound on what is given away, by ascent on the bound's
    multiplier (as in Cotter et al., 2019, arXiv:1809.04198), in steps that are relative: the right
    weight differs by orders of magnitude between datasets.
    """

    def __init__(
        self, groups: Sequence[int], *, weight: float, leakage: float, rate: float
    ) -> None:
        """Start from a weight.

        Args:
            groups: Of each attribute, how many; each attribute has a weight of its own.
            weight: Of the penalty, at first.
            leakage: AUC of attackers that is allowed, above 0.5.
            rate: Largest change of a weight's logarithm at once.
        """
        super().__init__()
        self._groups, self._leakage, self._rate = list(groups), leakage, rate
        self._smallest, self._largest = min(SMALLEST, weight), max(LARGEST, weight)
        self.weight: Tensor
        self.register_buffer("weight", torch.full((len(groups),), weight))

    def forward(
        self, vectors: Float[Tensor, "audience dim"], beliefs: Float[Tensor, "audience groups"]
    ) -> Float[Tensor, ""]:
        """Sum what is found about each attribute, the mean over its groups, by weight."""
        # Nothing is earned below zero: attackers can be made wrong about the very readers of the
        # audience, and be right about others.
        found = explained_by_others(vectors, beliefs).clamp(min=0)
        means = torch.stack([each.mean() for each in found.split(self._groups)])
        return self.weight @ means

    @torch.no_grad()
    def follow(self, leakage: Sequence[float]) -> None:
        """Move each attribute's weight towards what is allowed.

        Args:
            leakage: AUC of attackers on all readers, for each attribute.
        """
        for index, auc in enumerate(leakage):
            away = min(max((auc - self._leakage) / BAND, -1.0), 1.0)
            self.weight[index] *= math.exp(self._rate * away)
        self.weight.clamp_(self._smallest, self._largest)
