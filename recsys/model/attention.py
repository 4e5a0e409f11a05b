"""Attention over padded sequences that are rows of a shared table.

A sequence is given as a table of distinct rows and an index into it. Whatever depends on one row
alone (its projection to queries, keys and values) is computed once a row, not once an occurrence:
the words of a batch's titles and the news of its histories repeat many times over.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017, arXiv:1706.03762, sec. 3.2.2)."""

    def __init__(self, in_dim: int, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(in_dim, 3 * dim, bias=False)

    def forward(
        self,
        table: Float[Tensor, "items in_dim"],
        index: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length dim"]:
        """Mix each sequence; what stands at padding is undefined and to be masked by the reader."""
        rows = functional.embedding(index, self.project(table)).unflatten(2, (3, self.heads, -1))
        query, key, value = rows.permute(2, 0, 3, 1, 4)
        # A sequence of padding alone attends to its padding: finite, and masked when pooled.
        visible = mask | ~mask.any(dim=1, keepdim=True)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible[:, None, None, :]
        )
        return mixed.transpose(1, 2).flatten(2)


class AdditiveAttention(nn.Module):
    """Weighted mean with learned weights (Bahdanau et al., 2015, arXiv:1409.0473, sec. 3.1)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(
        self, sequence: Float[Tensor, "batch length dim"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch dim"]:
        """Pool each sequence; one without a single real row pools to zero, not NaN."""
        scores = self.score(sequence).squeeze(-1).masked_fill(~mask, -torch.inf)
        weights = scores.softmax(dim=-1).nan_to_num(0.0)  # softmax of all -inf is NaN
        return torch.einsum("bl,bld->bd", weights, sequence)


class SequenceEncoder(nn.Module):
    """Self-attention, then additive attention: NRMS' block, for titles and histories alike.

    Source: Wu et al., 2019, "Neural News Recommendation with Multi-Head Self-Attention",
    doi:10.18653/v1/D19-1671, eqs. 1-4.
    """

    def __init__(
        self, in_dim: int, dim: int, *, heads: int, hidden: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.mix = SelfAttention(in_dim, dim, heads)
        self.dropout = nn.Dropout(dropout)
        self.pool = AdditiveAttention(dim, hidden)

    def forward(
        self,
        table: Float[Tensor, "items in_dim"],
        index: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
    ) -> Float[Tensor, "batch dim"]:
        """Encode each sequence of table rows to one vector; an empty one to zero."""
        return self.pool(self.dropout(self.mix(table, index, mask)), mask)
