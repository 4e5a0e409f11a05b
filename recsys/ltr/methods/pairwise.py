"""Pairwise losses: a clicked document against each that was not clicked, both weighted."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from recsys.ltr.batches import Batch
from recsys.ltr.methods.method import Method, Setup, inverse

RATE = 0.02
"""How far the bias estimates move to those of one batch."""


class PairwiseDebiasing(Method):
    r"""Pairs divided by learned click bias t+ and non-click bias t-.

    .. math:: \sum_{c_i=1, c_j=0} \frac{\ell(s_i - s_j)}{t^+_i t^-_j}, \quad
       t^+_i \propto \Big(\sum_j \ell_{ij} / t^-_j\Big)^{1/(1+p)}

    and t- likewise, both 1 at the first position; p = 1. Hu et al., 2019,
    doi:10.1145/3308558.3313447, eq. 21, 28, 29.
    """

    clicked: Tensor
    skipped: Tensor

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.register_buffer("clicked", torch.ones(setup.length))
        self.register_buffer("skipped", torch.ones(setup.length))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        losses = _losses(self.ranker(batch.features), batch)
        first = self.clicked[batch.positions].unsqueeze(2)
        second = self.skipped[batch.positions].unsqueeze(1)
        with torch.no_grad():
            self._move(self.clicked, (losses / second).sum(dim=2), batch)
            self._move(self.skipped, (losses / first).sum(dim=1), batch)
        limit = self.max_weight
        weights = (1 / first).clamp(max=limit) * (1 / second).clamp(max=limit)
        return (losses * weights).sum(dim=(1, 2)).mean()

    @override
    def examination(self) -> Float[Tensor, " length"]:
        return self.clicked / self.clicked[0]

    def _move(
        self, bias: Float[Tensor, " length"], terms: Float[Tensor, "batch slate"], batch: Batch
    ) -> None:
        total = torch.zeros_like(bias).index_add_(0, batch.positions.flatten(), terms.flatten())
        if total[0] > 0:
            bias.lerp_((total / total[0]).sqrt().clamp(min=1e-3), RATE)


class PropensityRatio(Method):
    r"""Pairs weighted by how much likelier the skipped one was seen (PRS).

    .. math:: \sum_{c_i=1, c_j=0} \frac{\theta_j}{\theta_i} \log(1 + e^{s_j - s_i})

    A skipped document that was hardly seen says little. Wang et al., 2021, arXiv:2005.08480, with
    the pairwise logistic loss. Made for clicks without noise: where irrelevant documents are
    clicked too, a pair counts in expectation :math:`\gamma_i \theta_j (1 - \theta_j \gamma_j)`,
    which favours low positions, and the ranker learns about :math:`\log \gamma / \theta`.
    """

    curve: Tensor
    weights: Tensor

    def __init__(self, setup: Setup, examination: Float[Tensor, " length"]) -> None:
        super().__init__(setup)
        self.register_buffer("curve", examination / examination[0])
        self.register_buffer("weights", inverse(examination, setup.max_weight))

    @override
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        losses = _losses(self.ranker(batch.features), batch)
        first = self.weights[batch.positions].unsqueeze(2)
        second = self.curve[batch.positions].unsqueeze(1)
        return (losses * first * second).sum(dim=(1, 2)).mean()

    @override
    def examination(self) -> Float[Tensor, " length"]:
        return self.curve


def _losses(
    scores: Float[Tensor, "batch slate"], batch: Batch
) -> Float[Tensor, "batch slate slate"]:
    """Logistic loss of every pair (clicked, skipped); 0 for other pairs."""
    skipped = (1 - batch.clicks) * batch.mask
    pairs = batch.clicks.unsqueeze(2) * skipped.unsqueeze(1)
    return pairs * softplus(scores.unsqueeze(1) - scores.unsqueeze(2))
