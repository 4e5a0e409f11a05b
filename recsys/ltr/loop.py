"""The one training loop: any method, any source; optimisers live as long as the training does."""

import math
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import nn

from recsys.config import Config
from recsys.ltr.batches import Batch
from recsys.ltr.methods.method import Method


class LoopConfig(Config):
    """How a ranker is trained."""

    steps: PositiveInt = 3000
    """Batches."""
    batch_size: PositiveInt = 256
    """Sessions a batch."""
    rate: PositiveFloat = 1e-2
    """Adam's step size for the ranker."""
    click_rate: PositiveFloat = 1e-1
    """Adam's step size for the few parameters of the click model."""
    max_norm: PositiveFloat = 5.0
    """Gradients longer than this are shortened to it."""


def train(
    method: Method,
    batches: Iterator[Batch],
    settings: LoopConfig,
    watch: Callable[[int], None] = lambda step: None,
) -> None:
    """Train a method in place; both step sizes fall to zero along a cosine.

    Args:
        method: Ranker and click model.
        batches: At least ``settings.steps`` of them.
        settings: How.
        watch: Called with the number of steps done, after each.
    """
    optimiser = adam(method, settings)
    parameters = list(method.parameters())
    starts = [group["lr"] for group in optimiser.param_groups]
    method.train()
    for step, batch in enumerate(islice(batches, settings.steps)):
        fall = (1 + math.cos(math.pi * step / settings.steps)) / 2
        for group, start in zip(optimiser.param_groups, starts, strict=True):
            group["lr"] = start * fall
        optimiser.zero_grad(set_to_none=True)
        method.loss(batch).backward()
        nn.utils.clip_grad_norm_(parameters, settings.max_norm, foreach=True)
        optimiser.step()
        watch(step + 1)
    method.eval()


def adam(method: Method, settings: LoopConfig) -> torch.optim.Optimizer:
    """One optimiser with a group for the ranker and one for the click model, if it has any."""
    ranker = list(method.ranker.parameters())
    known = {id(parameter) for parameter in ranker}
    others = [parameter for parameter in method.parameters() if id(parameter) not in known]
    groups = [{"params": ranker, "lr": settings.rate}]
    if others:
        groups.append({"params": others, "lr": settings.click_rate})
    return torch.optim.Adam(groups, fused=True)
