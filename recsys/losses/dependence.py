"""How much of what is believed of readers an attacker reads off their vectors, in closed form."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BANDWIDTHS = (2.0, 1.0, 0.5)
"""Of the kernels, in units of a standardised vector's length; each is half the one before."""
RIDGE = 1.0
"""Of the attacker; a reader's kernel with itself is about seven."""
FAINT = 0.01
"""Of the mean variance: no direction that varies less is published (`recsys.training.erasure`), and
of one that varies far less little is seen here."""


def explained_by_others(
    vectors: Float[Tensor, "readers dim"], beliefs: Float[Tensor, "readers groups"]
) -> Float[Tensor, " groups"]:
    r"""Share of each belief's variance that kernel ridge attackers explain, about [0, 1].

    With two random halves 1 and 2 of the readers and centred beliefs b,

    .. math:: \frac{b_2^\top g_1 + b_1^\top g_2}{b_1^\top b_1 + b_2^\top b_2}, \qquad
        g_1 = K_{21} (K_{11} + r I)^{-1} b_1, \quad g_2 = K_{12} (K_{22} + r I)^{-1} b_2

    An attacker is judged on readers it was not fitted on, so that what it finds by chance is zero
    in the mean, also below: nothing is charged for noise. There are two, and the better counts: one
    with a linear kernel, so that being wrong elsewhere does not make up for a linear trace, and
    one with Gaussian kernels of several widths besides, whole and not by random features: what a
    nonlinear attacker finds may be spread over as many directions as there are readers. They see
    vectors whitened, since squeezing a direction hides nothing from an attacker who stretches it
    again; Gaussian kernels see each unit at unit variance, too, as most attackers do. Since
    vectors are functions of the clicks, a vector tells nothing of a group if and only if it tells
    nothing of what the clicks make one believe; beliefs carry no noise of single labels and exist
    for readers nobody told.

    Args:
        vectors: Readers' vectors, in random order.
        beliefs: Probability that a reader is of each group, in [0, 1]. A group that everybody is
            believed to be of alike costs nothing.
    """
    centred = beliefs - beliefs.mean(dim=0)
    each = torch.stack([_explained(_centred(kernel), centred) for kernel in _kernels(vectors)])
    return each.amax(dim=0)


def _explained(
    kernel: Float[Tensor, "readers readers"], centred: Float[Tensor, "readers groups"]
) -> Float[Tensor, " groups"]:
    """Let each half of the readers be guessed from the other."""
    halves = [len(kernel) // 2, len(kernel) - len(kernel) // 2]
    first, second = centred.split(halves)
    among_first, across, _, among_second = (
        block for rows in kernel.split(halves) for block in rows.split(halves, dim=1)
    )
    found = _covariance(among_first, across.T, fit=first, judge=second)
    found = found + _covariance(among_second, across, fit=second, judge=first)
    return found / centred.square().sum(dim=0).clamp(min=1e-6)


def _covariance(
    known: Float[Tensor, "fit fit"],
    across: Float[Tensor, "judge fit"],
    *,
    fit: Float[Tensor, "fit groups"],
    judge: Float[Tensor, "judge groups"],
) -> Float[Tensor, " groups"]:
    """Sum of the beliefs about some readers times what a regression on others guesses of them.

    With w the weights of the regression, and v those of the regression of what is judged, the
    derivative of b' K w is b' dK w - v' dK w: no factorisation has to be differentiated.
    """
    with torch.no_grad():
        # Of what is no number: no number, and no exception.
        root = torch.linalg.cholesky_ex(known + RIDGE * torch.eye(len(known)).to(known)).L
        weights = torch.cholesky_solve(fit, root)
        backwards = torch.cholesky_solve(across.T @ judge, root)
    guessed = (judge * (across @ weights)).sum(dim=0)
    refitted = (backwards * (known @ weights)).sum(dim=0)
    return guessed - (refitted - refitted.detach())


def _kernels(
    vectors: Float[Tensor, "readers dim"],
) -> tuple[Float[Tensor, "readers readers"], Float[Tensor, "readers readers"]]:
    """Compare all readers linearly, and in every way: all directions alike, each unit by itself."""
    centred = vectors - vectors.mean(dim=0)
    linear = _inner(_whiten(centred))
    scaled = _inner(centred / (centred.std(dim=0, correction=0) + 1e-4))
    return linear, linear + _Gaussians.apply(linear) + _Gaussians.apply(scaled)


def _inner(units: Float[Tensor, "readers dim"]) -> Float[Tensor, "readers readers"]:
    """Multiply all readers, in units of a vector's length."""
    return units @ units.T / units.shape[1]


class _Gaussians(torch.autograd.Function):
    r"""Sum Gaussian kernels of all readers' inner products.

    .. math:: \sum_w e^{-d_{ij} / 2 w^2}, \qquad d_{ij} = x_{ii} + x_{jj} - 2 x_{ij}

    A kernel of half the width is the fourth power. The derivative is written out since a step waits
    for matrices of all readers: one is kept in the place of a dozen.
    """

    @staticmethod
    def forward(ctx: Any, inner: Float[Tensor, "readers readers"]) -> Tensor:
        length, rate = inner.diagonal(), 0.5 / BANDWIDTHS[0] ** 2
        distance = torch.sub(length[:, None], inner, alpha=2).add_(length).clamp_(min=0)
        kernel = distance.mul_(-rate).exp_()
        total, slope = kernel.clone(), kernel * rate
        for _ in BANDWIDTHS[1:]:
            kernel, rate = kernel.square_().square_(), 4 * rate
            total.add_(kernel)
            slope.add_(kernel, alpha=rate)
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Float[Tensor, "readers readers"]) -> Tensor:
        (slope,) = ctx.saved_tensors
        nearer = above * slope
        lengths = nearer.sum(dim=0) + nearer.sum(dim=1)
        nearer.mul_(2).diagonal().sub_(lengths)
        return nearer


def _centred(kernel: Float[Tensor, "readers readers"]) -> Float[Tensor, "readers readers"]:
    """Make rows and columns sum to 0."""
    mean = kernel.mean(dim=0)
    return kernel - mean[:, None] - (mean - mean.mean())


def _whiten(centred: Float[Tensor, "readers dim"]) -> Float[Tensor, "readers dim"]:
    """Turn and stretch vectors so that all directions vary alike, but for faint ones."""
    covariance = centred.T @ centred / len(centred)
    faint = FAINT * covariance.diagonal().mean() + 1e-8
    root = torch.linalg.cholesky_ex(
        covariance + faint * torch.eye(len(covariance)).to(covariance)
    ).L
    return torch.linalg.solve_triangular(root, centred.T, upper=False).T
