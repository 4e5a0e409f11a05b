"""A running mean of a model's weights: what is judged and published, while training swings on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_swa_multi_avg_fn


class RunningMean:
    """Mean of the weights after about the last so many steps (Polyak and Juditsky, 1992).

    Ranking and what is charged beside it pull to and fro, from batch to batch and over epochs: the
    mean may rank better than the newest weights. torch's `AveragedModel` copies a module,
    which fused tables do not survive; here weights are averaged where they lie.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        """Start from the weights as they are.

        Args:
            model: Trained elsewhere, in place.
            steps: Each step counts for one part in so many, and the first ones alike; 1 keeps
                the newest weights alone.
        """
        self._live = [parameter.data for parameter in model.parameters()] if steps > 1 else []
        self._mean = [weights.clone() for weights in self._live]
        self._steps, self._seen = steps, 0
        self._average = get_swa_multi_avg_fn()

    def update(self) -> None:
        """Count the weights after a step."""
        if self._live:
            self._average(self._mean, self._live, min(self._seen, self._steps - 1))
        self._seen += 1

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the mean, and then its own weights again."""
        newest = [weights.clone() for weights in self._live]
        _copy(self._live, self._mean)
        try:
            yield
        finally:
            _copy(self._live, newest)

    def state_dict(self) -> dict[str, Any]:
        """Return what it takes to go on."""
        return {"seen": self._seen, "mean": [mean.cpu().clone() for mean in self._mean]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._seen = state["seen"]
        _copy(self._mean, state["mean"])


@torch.no_grad()
def _copy(into: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    for target, value in zip(into, values, strict=True):
        target.copy_(value)
