r"""Regression EM: a click is examination times relevance; what is hidden is filled in by Bayes.

E step, of a showing without a click: :math:`P(e) = \theta(1-\gamma)/(1-\theta\gamma)` and
:math:`P(r) = (1-\theta)\gamma/(1-\theta\gamma)`. M step: :math:`\theta_k` moves towards its mean
of P(e), the ranker is regressed on P(r). Wang et al., 2018, doi:10.1145/3159652.3159732, section
4.3; here with the posterior itself as target instead of draws from it, which has less noise.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from typing_extensions import override

from recsys.ltr.batches import Batch
from recsys.ltr.methods.method import Method, Setup, linear_curve

RATE = 0.02
"""How far the examination estimate moves to that of one batch."""


class RegressionEM(Method):
    """A pointwise ranker whose sigmoid is the probability of relevance."""

    theta: Tensor

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.register_buffer("theta", linear_curve(setup.length))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        scores = self.ranker(batch.features)
        with torch.no_grad():
            relevance, theta = scores.sigmoid(), self.theta[batch.positions]
            skipped = (1 - theta * relevance).clamp(min=1e-6)
            clicked = batch.clicks > 0
            seen = torch.where(clicked, 1.0, theta * (1 - relevance) / skipped)
            relevant = torch.where(clicked, 1.0, (1 - theta) * relevance / skipped)
            self._move(seen, batch)
        loss = binary_cross_entropy_with_logits(scores, relevant, reduction="none")
        return (loss * batch.mask).sum(dim=-1).mean()

    @override
    def examination(self) -> Float[Tensor, " length"]:
        return self.theta / self.theta[0]

    def _move(self, seen: Float[Tensor, "batch slate"], batch: Batch) -> None:
        place = batch.positions.flatten()
        shown = batch.mask.flatten().to(seen.dtype)
        total = torch.zeros_like(self.theta).index_add_(0, place, seen.flatten() * shown)
        count = torch.zeros_like(self.theta).index_add_(0, place, shown)
        step = RATE * (count > 0) * (total / count.clamp(min=1) - self.theta)
        self.theta.add_(step).clamp_(1e-4, 1 - 1e-4)
