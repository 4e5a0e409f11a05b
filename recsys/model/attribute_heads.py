"""Networks that guess sensitive attributes from a reader's vector: predictor and discriminators."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


class AttributeHeads(nn.Module):
    """One classifier for each attribute; without hidden layers, FairRec's linear ones."""

    def __init__(self, dim: int, num_classes: Sequence[int], *, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_classifier([dim, *hidden, size]) for size in num_classes)

    def forward(self, readers: Float[Tensor, "batch dim"]) -> list[Float[Tensor, "batch classes"]]:
        """Return the logits of each attribute in turn."""
        return [head(readers) for head in self.heads]

    def restart(self) -> None:
        """Forget what was learned, so that a victim cannot settle in one opponent's blind spot."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()


def _classifier(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])
