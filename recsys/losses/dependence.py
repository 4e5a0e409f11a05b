"""How much of what is believed of readers an attacker reads off their vectors, in closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

BANDWIDTHS = (0.5, 1.0, 2.0)
"""Of the kernels, in units of a standardised vector's length."""
FEATURES = 80
"""Random features a kernel."""


def kernel_ridge_loss(
    vectors: Float[Tensor, "batch dim"],
    beliefs: Float[Tensor, "batch groups"],
    *,
    ridge: float = 0.0025,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " groups"]:
    r"""Share of each belief's variance that the best kernel ridge attacker explains, about [0, 1].

    .. math:: \frac{c_g^\top (C + r I)^{-1} c_g}{\mathrm{var}(b_g)}, \qquad
        C = \tfrac1n \Phi^\top \Phi, \quad c_g = \tfrac1n \Phi^\top (b_g - \bar b_g)

    :math:`\Phi` holds the standardised vectors and random Fourier features of Gaussian kernels of
    several widths (Rahimi and Recht, 2007), drawn anew at each call, so that neither a linear nor a
    non-linear trace is free and none can be hidden from a fixed opponent. Since vectors are
    functions of the clicks, a vector tells nothing of a group if and only if it tells nothing of
    what the clicks make one believe; beliefs carry no noise of single labels and exist for readers
    nobody told.

    Args:
        vectors: Readers' vectors.
        beliefs: Probability that a reader is of each group, in [0, 1]. A group that everybody is
            believed to be of alike costs nothing.
        ridge: Of the attacker, in units of the features' total variance.
        generator: Draws the features.
    """
    features = _features(vectors, generator)
    centred = beliefs - beliefs.mean(dim=0)
    across = features.T @ centred / len(features)
    attacker = _attacker(features, centred, ridge)
    return (across * attacker).sum(dim=0) / centred.square().mean(dim=0).clamp(min=1e-8)


def explained_by_others(
    vectors: Float[Tensor, "batch dim"],
    beliefs: Float[Tensor, "batch groups"],
    *,
    ridge: float = 0.0025,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " groups"]:
    """Covariance of the beliefs with what `kernel_ridge_loss`' attacker guesses out of fold.

    The attacker is fitted on one half of the readers and judged on the other, and the other way
    round, so that what it finds by chance is zero in the mean: vectors that tell nothing have
    values around 0, also below.

    Args:
        vectors: Readers' vectors, in random order.
        beliefs: Probability that a reader is of each group, in [0, 1].
        ridge: Of the attacker, in units of the features' total variance.
        generator: Draws the features.
    """
    features = _features(vectors, generator)
    centred = beliefs - beliefs.mean(dim=0)
    half = len(features) // 2
    halves = [(features[:half], centred[:half]), (features[half:], centred[half:])]
    guessed = [
        (there @ _attacker(here, known, ridge) * wanted).mean(dim=0)
        for (here, known), (there, wanted) in (halves, halves[::-1])
    ]
    return torch.stack(guessed).mean(dim=0)


def _attacker(
    features: Float[Tensor, "batch features"], beliefs: Float[Tensor, "batch groups"], ridge: float
) -> Float[Tensor, "features groups"]:
    """Solve the ridge regression of centred beliefs on centred features."""
    covariance = features.T @ features / len(features)
    weight = ridge * covariance.diagonal().sum()
    penalised = covariance + weight * torch.eye(len(covariance)).to(covariance)
    return torch.linalg.solve(penalised, features.T @ beliefs / len(features))


def _features(
    vectors: Float[Tensor, "batch dim"], generator: torch.Generator | None
) -> Float[Tensor, "batch features"]:
    """Linear part and random Fourier features; scale and shift of a unit hide nothing."""
    units = (vectors - vectors.mean(dim=0)) / (vectors.std(dim=0, correction=0) + 1e-4)
    dim = units.shape[1]
    parts = [units / math.sqrt(dim)]
    for width in BANDWIDTHS:
        waves = torch.randn(dim, FEATURES, generator=generator) / (math.sqrt(dim) * width)
        phase = 2 * math.pi * torch.rand(FEATURES, generator=generator)
        parts.append(torch.cos(units @ waves.to(units) + phase.to(units)) * math.sqrt(2 / FEATURES))
    stacked = torch.cat(parts, dim=1)
    return stacked - stacked.mean(dim=0)
