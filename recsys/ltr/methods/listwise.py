r"""Softmax losses over the list: naive, inverse propensity, true labels, dual learning.

With clicks weighted by the inverse of examination, the expected softmax loss is least where
:math:`e^{s_i}` is proportional to the appeal of document i.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from recsys.errors import ConfigError
from recsys.losses.ranking import softmax_loss
from recsys.ltr.batches import Batch
from recsys.ltr.methods.method import Method, Setup, inverse


class Naive(Method):
    """Clicks taken for relevance."""

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        return softmax_loss(self.ranker(batch.features), batch.clicks, batch.mask)


class TrueLabels(Method):
    """Relevance itself, as a reference: what clicks would show without position bias or chance."""

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        if batch.appeal is None:
            raise ConfigError("true-labels: the data have no labels to train on")
        return softmax_loss(self.ranker(batch.features), batch.appeal, batch.mask)


class InversePropensity(Method):
    """Clicks weighted by inverse examination, given or estimated beforehand.

    Joachims et al., 2017, arXiv:1608.04468; weights relative to the first position and clipped.
    """

    curve: Tensor
    weights: Tensor

    def __init__(self, setup: Setup, examination: Float[Tensor, " length"]) -> None:
        super().__init__(setup)
        self.register_buffer("curve", examination / examination[0])
        self.register_buffer("weights", inverse(examination, setup.max_weight))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        weights = self.weights[batch.positions]
        return softmax_loss(self.ranker(batch.features), batch.clicks, batch.mask, weights)

    @override
    def examination(self) -> Float[Tensor, " length"]:
        return self.curve


class DualLearning(Method):
    r"""Ranker and examination learned together, each weighing the other's clicks (DLA).

    .. math:: -\sum_{c_i = 1} \frac{g_1}{g_i} \log f_i - \sum_{c_i = 1} \frac{f_1}{f_i} \log g_i

    with f and g the softmax of scores and of the positions' logits; weights carry no gradient.
    Ai et al., 2018, arXiv:1804.05938, eq. 12 to 14. Unlike ULTRA's code the weights really are
    clipped, and one optimiser keeps its state for the whole of the training.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.logits = nn.Parameter(torch.zeros(setup.length))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        hidden = ~batch.mask
        scores = self.ranker(batch.features).masked_fill(hidden, -torch.inf)
        looks = self.logits[batch.positions].masked_fill(hidden, -torch.inf)
        ranked = scores.log_softmax(dim=-1).masked_fill(hidden, 0.0)
        looked = looks.log_softmax(dim=-1).masked_fill(hidden, 0.0)
        with torch.no_grad():
            by_look = (looked[:, :1] - looked).exp().clamp(max=self.max_weight)
            by_rank = (ranked[:, :1] - ranked).exp().clamp(max=self.max_weight)
            by_look, by_rank = by_look * batch.clicks, by_rank * batch.clicks
        return -(by_look * ranked + by_rank * looked).sum(dim=-1).mean()

    @override
    @torch.no_grad()
    def examination(self) -> Float[Tensor, " length"]:
        return (self.logits - self.logits[0]).exp()
