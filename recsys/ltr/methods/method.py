"""What a method is made of and what the loop asks of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsys.errors import ConfigError
from recsys.ltr.batches import Batch


@dataclass(frozen=True)
class Setup:
    """What every method is built from."""

    ranker: nn.Module
    """Features to scores; trained in place."""
    length: int
    """Positions of a list."""
    max_weight: float
    """Largest inverse propensity, relative to the first position, that a loss may use."""
    known_examination: Float[Tensor, " length"] | None = None
    """Examination as the simulator or the log knows it."""
    estimated_examination: Float[Tensor, " length"] | None = None
    """Examination as a click model or a randomised experiment estimates it."""

    def known(self) -> Float[Tensor, " length"]:
        """Return examination as known.

        Raises:
            ConfigError: The data do not know it.
        """
        if self.known_examination is None:
            raise ConfigError(
                "ips: examination by position is not known (a log without propensities, or clicks "
                "that depend on those above); use ips-estimated"
            )
        return self.known_examination

    def estimated(self) -> Float[Tensor, " length"]:
        """Return examination as estimated, or as known where it was not."""
        if self.estimated_examination is None:
            return self.known()
        return self.estimated_examination


class Method(nn.Module, ABC):
    """A ranker in training; parameters besides the ranker's belong to the click model."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.ranker = setup.ranker
        self.max_weight = setup.max_weight

    @abstractmethod
    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of one batch; a method's running estimates are updated here."""

    def examination(self) -> Float[Tensor, " length"] | None:
        """Return the examination curve as learned, 1 at the first position; None without one."""
        return None


def inverse(examination: Float[Tensor, " length"], limit: float) -> Float[Tensor, " length"]:
    """Weights of clicks: examination of the first position over that of each, at most ``limit``."""
    return (examination[0] / examination).clamp(max=limit)


def linear_curve(length: int) -> Float[Tensor, " length"]:
    """A mild guess to start from."""
    return torch.linspace(0.9, 0.5, length)
