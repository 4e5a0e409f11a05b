"""How hard the bias-free part is kept from giving readers away: as hard as it takes, no harder."""

import math

import torch
from jaxtyping import Float
from scipy.stats import norm
from torch import Tensor, nn

from recsys.losses.dependence import explained_by_others

MEMORY = 0.95
"""Share of a running mean that a step leaves in place."""
CORRECTION, STRICTEST = 40.0, 32.0
"""How fast, and by what factor at most, the bound follows what attackers find on all readers."""
SMALLEST, LARGEST = 0.03, 4.0
"""Weights of balance it stays between, unless it starts beyond: with less, on ML-100K, ranking
gained nothing and leakage grew; after more, embedding tables hardly moved any longer."""


class Pressure(nn.Module):
    """A penalty whose weight rises while an attacker finds more than allowed, and falls after.

    It minimises the ranking loss under a bound on what is given away, by ascent on the bound's
    multiplier (as in Cotter et al., 2019, arXiv:1809.04198), in steps that are relative: the right
    weight differs by orders of magnitude between datasets.
    """

    def __init__(self, groups: int, *, weight: float, leakage: float, rate: float) -> None:
        """Start from a weight.

        Args:
            groups: Each has a weight of its own.
            weight: Of the penalty, at first.
            leakage: AUC of the attacker that is allowed, above 0.5.
            rate: Largest change of the weight's logarithm in a step.
        """
        super().__init__()
        self._leakage, self._rate = leakage, rate
        self._smallest, self._largest = min(SMALLEST, weight), max(LARGEST, weight)
        self.weight: Tensor
        self.excess: Tensor
        self.strictness: Tensor
        self.register_buffer("weight", torch.full((groups,), weight))
        self.register_buffer("excess", torch.zeros(groups))
        self.register_buffer("strictness", torch.ones(()))

    def forward(
        self, vectors: Float[Tensor, "audience dim"], beliefs: Float[Tensor, "audience groups"]
    ) -> Float[Tensor, ""]:
        """Return the weighted penalty, and move the weights."""
        found = explained_by_others(vectors, beliefs)
        self._adapt(found.detach(), beliefs)
        # Nothing is earned below zero: attackers can be made wrong about the very readers of the
        # audience, and be right about others.
        return self.weight.clone() @ found.clamp(min=0)

    @torch.no_grad()
    def _adapt(self, found: Tensor, beliefs: Tensor) -> None:
        """Compare the share of the labels' variance that is found with what is allowed."""
        share = beliefs.mean(dim=0)
        variance = (share * (1 - share)).clamp(min=1e-6)  # of a label, not of the belief in it
        found = found * beliefs.var(dim=0, correction=0) / variance
        bound = allowed(self._leakage, variance) / self.strictness
        self.excess.lerp_(found / bound - 1, 1 - MEMORY)
        self.weight.mul_(torch.exp(self._rate * self.excess.clamp(-1, 1)))
        self.weight.clamp_(self._smallest, self._largest)

    @torch.no_grad()
    def correct(self, leakage: float) -> None:
        """Hold a stricter or a laxer bound, by what attackers found on all readers.

        They learn from more readers than an audience has, and so find more; or less, where the
        model came to suit the audiences it was charged for.

        Args:
            leakage: Their AUC; 0.01 above the allowed makes the bound stricter by a half.
        """
        factor = math.exp(CORRECTION * (leakage - self._leakage))
        self.strictness.mul_(min(max(factor, 0.5), 2.0)).clamp_(1 / STRICTEST, STRICTEST)


def allowed(auc: float, variance: Float[Tensor, " groups"]) -> Float[Tensor, " groups"]:
    r"""Share of a label's variance that an attacker of a given AUC explains.

    .. math:: R^2 = \frac{d^2 v}{1 + d^2 v}, \qquad d = \sqrt 2\, \Phi^{-1}(\mathrm{AUC})

    for normal scores of equal variance in both groups, d their distance and v = p (1 - p).

    Args:
        auc: Above 0.5.
        variance: p (1 - p) for each group.
    """
    distance = math.sqrt(2) * float(norm.ppf(auc))
    between = distance**2 * variance
    return between / (1 + between)
