r"""Additive position models: the logit of a click is relevance plus the position's bias.

Where the logging ranker was good, position predicts relevance, and the position tower explains
away what the ranker should learn ("confounding"). Two remedies of Zhang et al., 2023,
arXiv:2212.13937: drop the position's bias now and then, or forbid it to predict relevance.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from typing_extensions import override

from recsys.ltr.batches import Batch
from recsys.ltr.methods.method import Method, Setup

DROPOUT = 0.3
"""Share of showings that the ranker must explain without the position."""
REVERSAL = 0.3
"""Strength of the reversed gradient."""
RATE = 0.02
"""How far the mean relevance logit moves to that of one batch."""


class TwoTower(Method):
    r"""Logistic regression of clicks: :math:`P(c) = \sigma(f(x) + b_k)`.

    PAL's additive relative (Guo et al., 2019, doi:10.1145/3298689.3347033) as used by Yan et al.,
    2022, doi:10.1145/3534678.3539226.
    """

    typical: Tensor

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.bias = nn.Parameter(torch.zeros(setup.length))
        self.register_buffer("typical", torch.zeros(()))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        relevance = self.ranker(batch.features)
        with torch.no_grad():
            mean = (relevance * batch.mask).sum() / batch.mask.sum()
            self.typical.lerp_(mean, RATE)
        logits = relevance + self.observed(batch)
        loss = binary_cross_entropy_with_logits(logits, batch.clicks, reduction="none")
        return (loss * batch.mask).sum(dim=-1).mean() + self.penalty(relevance, batch)

    def observed(self, batch: Batch) -> Float[Tensor, "batch slate"]:
        """Return the position's part of the logit."""
        return self.bias[batch.positions]

    def penalty(self, relevance: Float[Tensor, "batch slate"], batch: Batch) -> Tensor | float:
        """Return what is added to the loss: nothing."""
        return 0.0

    @override
    @torch.no_grad()
    def examination(self) -> Float[Tensor, " length"]:
        """Click probability of a document of typical relevance, relative to the first position."""
        chance = (self.typical + self.bias).sigmoid()
        return chance / chance[0]


class DroppedTower(TwoTower):
    """The position's part is dropped from some showings, so that the ranker cannot lean on it."""

    @override
    def observed(self, batch: Batch) -> Float[Tensor, "batch slate"]:
        bias = self.bias[batch.positions]
        return bias * (torch.rand_like(bias) >= DROPOUT)


class ReversedTower(TwoTower):
    """The position's part must not predict relevance: a head that tries turns its gradient."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.head = nn.Linear(1, 1)

    @override
    def penalty(self, relevance: Float[Tensor, "batch slate"], batch: Batch) -> Tensor:
        turned = _Reverse.apply(self.bias[batch.positions][batch.mask])
        guess = self.head(turned.unsqueeze(-1)).squeeze(-1)
        return REVERSAL * mse_loss(guess, relevance.detach()[batch.mask])


class _Reverse(torch.autograd.Function):
    """Identity forward, minus one backward (Ganin et al., 2016, arXiv:1505.07818)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient
