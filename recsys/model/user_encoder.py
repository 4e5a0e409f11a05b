"""A reader's vector from the news they clicked. Needs torch only: serving uses it as well."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from recsys.model.attention import SequenceEncoder


class UserEncoder(nn.Module):
    """NRMS' user model: self-attention and additive attention over clicked news."""

    def __init__(self, dim: int, *, heads: int, hidden: int, dropout: float = 0.0) -> None:
        """Set up one tower.

        Args:
            dim: Length of news and reader vectors; a multiple of ``heads``.
            heads: Attention heads.
            hidden: Units of the additive attention.
            dropout: Share of mixed units set to zero in training.
        """
        super().__init__()
        self.encode = SequenceEncoder(dim, dim, heads=heads, hidden=hidden, dropout=dropout)

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
        return self.encode(news, history, mask)
