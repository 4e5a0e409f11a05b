"""How far the distribution of vectors follows an attribute, by kernels: no opponent to train."""

import torch
from jaxtyping import Float
from torch import Tensor

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the kernels, in units of the batch's median squared distance."""


def mmd_loss(
    vectors: Float[Tensor, "batch dim"], beliefs: Float[Tensor, "batch groups"]
) -> Float[Tensor, ""]:
    r"""Squared maximum mean discrepancy between groups of which membership is only believed.

    .. math:: \sum_g \sum_{i \neq j} w_{ig} w_{jg} k(x_i, x_j), \qquad
        w_{ig} = \frac{2 (b_{ig} - \bar b_g)}{\sum_l |b_{lg} - \bar b_g|}

    With beliefs of 0 and 1 it is the two-sample statistic between a group and all others (Gretton
    et al., 2012, JMLR 13, eq. 3, with self-pairs left out); beliefs in between let readers count
    whose attribute nobody told. The kernel is a mean of Gaussians of several widths over
    standardised vectors, so that no linear or non-linear difference of the groups is free.

    Args:
        vectors: Readers' vectors.
        beliefs: Probability that a reader is of each group, in [0, 1]. A group that everybody is
            believed to be of alike costs nothing.
    """
    spread = vectors.std(dim=0, correction=0)
    units = (vectors - vectors.mean(dim=0)) / (spread + 1e-4)
    squares = units.square().sum(dim=1)
    distances = (squares[:, None] + squares - 2 * units @ units.T).clamp(min=0)
    scale = distances.detach().median().clamp(min=1e-6)
    kernel = torch.stack([torch.exp(-distances / (scale * b)) for b in BANDWIDTHS]).mean(dim=0)
    kernel = kernel - torch.diag(kernel.diagonal())
    centred = beliefs - beliefs.mean(dim=0)
    weights = 2 * centred / centred.abs().sum(dim=0).clamp(min=1e-6)
    return torch.einsum("ig,ij,jg->", weights, kernel, weights)
