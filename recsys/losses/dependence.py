"""How much of what is believed of readers an attacker reads off their vectors, in closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

BANDWIDTHS = (0.5, 1.0, 2.0)
"""Of the kernels, in units of a standardised vector's length."""
FEATURES = 80
"""Random features a kernel."""
RIDGE = 0.0025
"""Of the attacker, in units of the features' total variance."""
MEMORY = 0.95
"""Share of what the attacker knows that a batch leaves in place."""


class KernelRidgeAttacker(nn.Module):
    r"""The kernel ridge regression of beliefs on vectors, solved anew at each batch.

    .. math:: w = (C + r I)^{-1} c, \qquad C = \overline{\phi \phi^\top}, \quad
        c = \overline{\phi\, (b - \bar b)}

    :math:`\phi` holds a standardised vector and random Fourier features of Gaussian kernels of
    several widths (Rahimi and Recht, 2007), so that neither a linear nor a non-linear trace is
    free. Its moments are running means over batches: the attacker has seen far more readers than
    one batch holds, and finds traces that no batch alone would show. Nothing is played out between
    two networks: it is the best of its kind at each step.

    Since vectors are functions of the clicks, a vector tells nothing of a group if and only if it
    tells nothing of what the clicks make one believe; beliefs carry no noise of single labels and
    exist for readers nobody told.
    """

    def __init__(self, dim: int, groups: int, *, generator: torch.Generator | None = None) -> None:
        """Know nothing yet.

        Args:
            dim: Length of a vector.
            groups: Columns of beliefs.
            generator: Draws the features.
        """
        super().__init__()
        self.waves: Tensor
        self.phase: Tensor
        self.mean: Tensor
        self.square: Tensor
        self.covariance: Tensor
        self.across: Tensor
        self.batches: Tensor
        width = dim + FEATURES * len(BANDWIDTHS)
        for name, shape in {
            "waves": (dim, width - dim),
            "phase": (width - dim,),
            "mean": (dim,),
            "square": (dim,),
            "covariance": (2, width, width),
            "across": (2, width, groups),
            "batches": (),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        self.forget(generator=generator)

    @torch.no_grad()
    def forget(self, *, generator: torch.Generator | None = None) -> None:
        """Start anew with other features, so that none can be hidden from."""
        dim = len(self.mean)
        widths = torch.tensor(BANDWIDTHS).repeat_interleave(FEATURES) * math.sqrt(dim)
        self.waves.copy_(torch.randn(self.waves.shape, generator=generator) / widths)
        self.phase.copy_(2 * math.pi * torch.rand(self.phase.shape, generator=generator))
        for moment in (self.mean, self.square, self.covariance, self.across, self.batches):
            moment.zero_()

    def forward(
        self, vectors: Float[Tensor, "batch dim"], beliefs: Float[Tensor, "batch groups"]
    ) -> tuple[Float[Tensor, " groups"], Float[Tensor, " groups"]]:
        """Attack a batch.

        Args:
            vectors: Readers' vectors. The first half of each batch are readers of one half of all,
                the second of the other.
            beliefs: Probability that a reader is of each group, in [0, 1].

        Returns:
            Share of each belief's variance that is explained, at most 1, to be minimised; 0 for a
            group that everybody is believed to be of alike. And the covariance of each belief with
            the guesses of an attacker that knew readers of the other half alone, without gradient:
            around 0, also below, where there is nothing to find.
        """
        features, centred = self._features(vectors), beliefs - beliefs.mean(dim=0)
        half = len(features) // 2
        with torch.no_grad():
            parts = [(features[:half], centred[:half]), (features[half:], centred[half:])]
            found = torch.stack([self._judge(1 - at, *part) for at, part in enumerate(parts)])
            self._remember(parts)
            attacker = self._solve(self.covariance.mean(dim=0), self.across.mean(dim=0))
        guessed = features @ attacker
        explained = 2 * (guessed * centred).mean(dim=0) - guessed.square().mean(dim=0)
        return explained / centred.square().mean(dim=0).clamp(min=1e-8), found.mean(dim=0)

    def _features(self, vectors: Tensor) -> Float[Tensor, "batch features"]:
        """Linear part and random Fourier features; scale and shift of a unit hide nothing."""
        with torch.no_grad():
            rate = self._rate()
            self.mean.lerp_(vectors.mean(dim=0), rate)
            self.square.lerp_(vectors.square().mean(dim=0), rate)
            deviation = (self.square - self.mean.square()).clamp(min=0).sqrt() + 1e-4
        units = (vectors - self.mean) / deviation
        linear = units / math.sqrt(units.shape[1])
        waves = torch.cos(units @ self.waves + self.phase) * math.sqrt(2 / FEATURES)
        stacked = torch.cat([linear, waves], dim=1)
        return stacked - stacked.mean(dim=0)

    def _judge(self, half: int, features: Tensor, centred: Tensor) -> Float[Tensor, " groups"]:
        """Covariance of beliefs with what an attacker guesses that knows one half of readers."""
        attacker = self._solve(self.covariance[half], self.across[half])
        return (features @ attacker * centred).mean(dim=0)

    def _remember(self, parts: list[tuple[Tensor, Tensor]]) -> None:
        rate = self._rate()
        for at, (features, centred) in enumerate(parts):
            self.covariance[at].lerp_(features.T @ features / len(features), rate)
            self.across[at].lerp_(features.T @ centred / len(features), rate)
        self.batches.add_(1)

    def _rate(self) -> float:
        """A plain mean at first, a running one later."""
        return max(1 / (float(self.batches) + 1), 1 - MEMORY)

    @staticmethod
    def _solve(
        covariance: Float[Tensor, "features features"], across: Float[Tensor, "features groups"]
    ) -> Float[Tensor, "features groups"]:
        weight = RIDGE * covariance.diagonal().sum().clamp(min=1e-6)
        penalised = covariance + weight * torch.eye(len(covariance)).to(covariance)
        return torch.linalg.solve(penalised, across)
