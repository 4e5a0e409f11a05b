"""A reader's vector from the news they clicked. Needs torch only: serving uses it as well.

Every encoder has the forward pass of :class:`UserEncoder`; whatever depends on one news alone is
computed once a news, not once an occurrence.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from recsys.model.attention import SequenceEncoder


class RecencyEncoder(nn.Module):
    r"""Several weighted means over a history, each looking back its own way, and a small network.

    .. math::
        w_{hj} \propto \exp(a_{h, t_j} - \mathrm{softplus}(s_h)\, t_j + c_h \cdot e_j),
        \qquad y = \mathrm{LN}(W_o\, [\textstyle\sum_j w_{hj} W_v e_j]_h),
        \qquad u = y + W_2\, \mathrm{gelu}(W_1 y)

    where :math:`t_j` counts the clicks after click j. The order of clicks tells more than their
    set: heads start with different slopes :math:`s_h`, so that one keeps to the newest click and
    another to all (linear biases: Press et al., 2022, arXiv:2108.12409, eq. 1).
    """

    def __init__(self, dim: int, *, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.ages = nn.Parameter(torch.zeros(heads, hidden))
        self.slopes = nn.Parameter(torch.linspace(-3.0, -6.0, heads))
        self.content = nn.Linear(dim, heads, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.join = nn.Linear(dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        last = nn.Linear(2 * dim, dim)
        self.think = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), last)
        nn.init.zeros_(self.content.weight)
        for plain in (self.value, self.join):
            nn.init.eye_(plain.weight)
        for new in (last.weight, last.bias):
            nn.init.zeros_(new)

    def forward(
        self,
        news: Float[Tensor, "items dim"],
        history: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch dim"]:
        """Encode each history; what an empty one gives is undefined."""
        weights = self._weights(functional.embedding(history, self.content(news)), mask)
        values = functional.embedding(history, self.value(news))
        # Each head over all of a vector, of which it keeps its part: quicker than parting vectors.
        pooled = (weights.transpose(1, 2) @ values).unflatten(2, (self.heads, -1))
        parts = pooled.diagonal(dim1=1, dim2=2).transpose(1, 2).flatten(1)
        mixed = self.dropout(self.norm(self.join(parts)))
        vectors: Tensor = mixed + self.think(mixed)
        return vectors

    def _weights(
        self, content: Float[Tensor, "batch length heads"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length heads"]:
        age = mask.flip(1).cumsum(dim=1).flip(1) - mask.long()  # clicks after this one
        known = self.ages[:, age.clamp(max=self.ages.shape[1] - 1)].permute(1, 2, 0)
        logits = content + known - functional.softplus(self.slopes) * age[:, :, None]
        visible = mask & ((age == 0) | self._kept(mask))
        logits = logits.masked_fill(~visible[:, :, None], -torch.inf)
        return logits.softmax(dim=1).nan_to_num(0.0)  # softmax of all -inf is NaN

    def _kept(self, mask: Bool[Tensor, "batch length"]) -> Bool[Tensor, "batch length"]:
        """Hide some older clicks in training, so that no single one is leaned on."""
        if not self.training:
            return mask
        return torch.rand(mask.shape, device=mask.device) >= self.dropout.p


class ProfileEncoder(nn.Module):
    r"""The mean of what was clicked, whatever the order, turned and brought to one length.

    .. math:: u = \sqrt{d}\, \frac{W \bar e}{\lVert W \bar e \rVert} + c, \qquad
        \bar e = \tfrac1n \textstyle\sum_j e_j

    A linear autoencoder of rank d, but for the length: how much somebody reads is no taste. The
    shared c lets a news be liked by all.
    """

    def __init__(self, dim: int, *, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.turn = nn.Linear(dim, dim, bias=False)
        self.shared = nn.Parameter(torch.zeros(dim))
        self.dropout = nn.Dropout(dropout)
        nn.init.eye_(self.turn.weight)

    def forward(
        self,
        news: Float[Tensor, "items dim"],
        history: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch dim"]:
        """Encode each history; what an empty one gives is undefined."""
        # A row for padding behind the news: what is summed is never held one click at a time.
        rows = torch.cat([news, torch.zeros_like(news[:1])])
        index = history.masked_fill(~mask, len(news))
        total = functional.embedding_bag(index, rows, mode="sum", padding_idx=len(news))
        taste = functional.normalize(self.turn(total)) * math.sqrt(news.shape[1])
        return self.dropout(taste) + self.shared


def _nrms(dim: int, *, heads: int, hidden: int, dropout: float) -> nn.Module:
    return SequenceEncoder(dim, dim, heads=heads, hidden=hidden, dropout=dropout)


ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "recency": RecencyEncoder,
    "profile": ProfileEncoder,
    "nrms": _nrms,
}
"""recency: order matters. profile: a mean, for long histories without an order. nrms: the paper's
block, which sees a history as a set."""


class UserEncoder(nn.Module):
    """One tower: a reader's clicked news to the reader's vector."""

    def __init__(
        self, dim: int, *, kind: str = "recency", heads: int, hidden: int, dropout: float = 0.0
    ) -> None:
        """Set up one tower.

        Args:
            dim: Length of news and reader vectors; a multiple of ``heads``.
            kind: A key of `ENCODERS`.
            heads: Attention heads.
            hidden: Units of the additive attention (nrms), or ages told apart (recency).
            dropout: Share of units, and of older clicks, set to zero in training, in [0, 1).
        """
        super().__init__()
        self.encode = ENCODERS[kind](dim, heads=heads, hidden=hidden, dropout=dropout)
        self.turn: Tensor
        self.shift: Tensor
        self.register_buffer("turn", torch.eye(dim))
        self.register_buffer("shift", torch.zeros(dim))

    def forward(
        self,
        news: Float[Tensor, "items dim"],
        history: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch dim"]:
        """Encode each history, newest last; an empty one gives the zero vector.

        Args:
            news: Vectors of the distinct news that occur.
            history: Rows of ``news``; any valid row stands at padding.
            mask: False for padding.
        """
        vectors = self.encode(news, history, mask) @ self.turn.T + self.shift
        return vectors * mask.any(dim=1, keepdim=True)

    def published(
        self,
        news: Float[Tensor, "items dim"],
        history: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch dim"]:
        """Encode without dropout, as vectors are served, also in training and with gradients."""
        training = self.training
        self.eval()
        try:
            vectors: Tensor = self(news, history, mask)
        finally:
            self.train(training)
        return vectors

    @torch.no_grad()
    def unfold(self) -> None:
        """Take away every map that was put behind what was learned."""
        self.turn.copy_(torch.eye(len(self.shift)))
        self.shift.zero_()

    @torch.no_grad()
    def fold(self, turn: Float[Tensor, "dim dim"], shift: Float[Tensor, " dim"]) -> None:
        """Put an affine map, ``turn @ vector + shift``, behind what was learned."""
        self.shift.copy_(turn @ self.shift + shift)
        self.turn.copy_(turn @ self.turn)
