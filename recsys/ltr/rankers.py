"""Rankers: document features in, one score out."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from recsys.errors import InputError

SCORE_ROWS = 1 << 16
"""Documents scored at a time, which bounds memory."""


class Ranker(nn.Module):
    """Layers with ELU between them and one score at the end; no layer at all is a linear ranker.

    Args:
        dim: Features of a document.
        hidden: Widths of the hidden layers, such as (512, 256, 128) of Ai et al., 2018,
            arXiv:1804.05938, section 5.1.
    """

    def __init__(self, dim: int, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(dim, width), nn.ELU(inplace=True)]
            dim = width
        self.layers = nn.Sequential(*layers, nn.Linear(dim, 1))

    def forward(self, features: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape"]:
        """Score documents."""
        return self.layers(features).squeeze(-1)


@torch.inference_mode()
def score(
    ranker: nn.Module, features: Float32[np.ndarray, "documents dim"]
) -> Float32[np.ndarray, " documents"]:
    """Score any number of documents, a part at a time.

    Raises:
        InputError: A score is not finite: equal for sorting, such scores would pass for a ranking.
    """
    parts = torch.from_numpy(features).split(SCORE_ROWS)
    scores = np.concatenate([ranker(part).numpy() for part in parts])
    if not np.isfinite(scores).all():
        raise InputError(
            "the trained ranker's scores are not finite; expected finite features, and step sizes "
            "(training.loop.rate, training.loop.click_rate) at which training does not diverge"
        )
    return scores
