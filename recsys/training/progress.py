"""Where training stands, and the errors that end it early."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from recsys.errors import RecsysError


class TrainingDiverged(RecsysError):
    """The loss is no longer a number."""

    def __init__(self, progress: "Progress", parts: dict[str, Tensor]) -> None:
        """Name the step and the terms that are not finite."""
        wrong = [name for name, part in parts.items() if not torch.isfinite(part)]
        super().__init__(
            f"the loss is not finite at epoch {progress.epoch + 1}, step {progress.step + 1} "
            f"({', '.join(wrong)}); a smaller optimizer.learning_rate may help"
        )


class VectorsOverflow(RecsysError):
    """Vectors have grown beyond what they are served in, while the loss is a number still."""

    def __init__(self) -> None:
        super().__init__(
            "vectors are larger than float16 holds, in which they are served; a smaller "
            "optimizer.learning_rate or optimizer.table_learning_rate may help"
        )


@dataclass
class Progress:
    """Where training stands; all of it is in the checkpoint."""

    epoch: int = 0
    step: int = 0
    best: tuple[float, float] = (-math.inf, -math.inf)
    """Of the best epoch, by what it gives away too much, then by its ranking."""
    best_epoch: int = 0
    """How many epochs the best had behind it; 0 is the warm start."""
    loss_sum: float = 0.0
    """Of the steps of this epoch."""
    history: list[dict[str, float]] = field(default_factory=list)
    """For each finished epoch its number, mean loss, validation nDCG@10 and what attackers find; a
    warm start is number 0."""
