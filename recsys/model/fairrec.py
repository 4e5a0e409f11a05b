"""FairRec: user interest in two parts, one that may know the sensitive attributes and one that not.

Source: Wu et al., 2021, "Fairness-aware News Recommendation with Decomposed Adversarial Learning",
arXiv:2006.16742. Both user encoders read the same news vectors.
"""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.config import Config
from recsys.model.batch import Batch
from recsys.model.embeddings import Width
from recsys.model.news_encoder import FeatureSizes, NewsEncoder, NewsEncoderConfig
from recsys.model.user_encoder import UserEncoder

OWN_VIEWS = ("category", "subcategory", "id")
"""Of a news, that the bias-aware part looks up for itself: cheap, and enough to tell groups by."""


MANY_CLICKS = 60.0
"""Of a reader: vectors of their own for what is read have to be learned. They were worth a point of
nDCG at 114 clicks a reader, and cost more than that at 4 (docs/fairness-research.md, section 13).
"""


class ModelConfig(Config):
    """Size of the networks."""

    dim: Width = 64
    """Length of news and reader vectors; a multiple of 4."""
    user_encoder: Literal["recency", "profile", "nrms"] = "recency"
    """How a history is read: see `recsys.model.user_encoder.ENCODERS`."""
    heads: PositiveInt = 4
    """Attention heads of the user encoders; divides ``dim``."""
    hidden: PositiveInt = 64
    """Ages (recency) or units of the additive attention (nrms) of the user encoders."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of mixed units set to zero in training."""
    read_apart: bool | Literal["auto"] = False
    """Learn what is read of a news, in a history, apart from what is ranked, as two vectors.
    auto: where what is read is charged for, and readers have `MANY_CLICKS` to learn from."""
    max_history: PositiveInt = 50
    """Newest clicks that are read."""
    news: NewsEncoderConfig = NewsEncoderConfig()

    @model_validator(mode="after")
    def _heads_share_dim(self) -> "ModelConfig":
        for name, heads in (("heads", self.heads), ("news.heads", self.news.heads)):
            if self.dim % heads:
                raise ValueError(f"{name}: expected a divisor of dim ({self.dim}), found {heads}")
        return self

    def settled(self, clicks_per_reader: float, *, charged: bool) -> "ModelConfig":
        """Return the same with what was left to the data decided.

        Args:
            clicks_per_reader: To learn from, on average.
            charged: Whether training charges for what readers' vectors tell.
        """
        if self.read_apart != "auto":
            return self
        apart = charged and clicks_per_reader >= MANY_CLICKS
        return self.model_copy(update={"read_apart": apart})

    def tower(self) -> dict[str, Any]:
        """Return the arguments of `UserEncoder`, as the bundle's manifest keeps them."""
        return {
            "dim": self.dim,
            "kind": self.user_encoder,
            "heads": self.heads,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }


class NewsVectors(NamedTuple):
    """Each news as it is read and as it is ranked: two vectors, or one twice.

    What is read is kept from adding up to an attribute; what is ranked need not be. Where little
    stands between them, as in a mean of many clicks, ranking pays for that with one vector for both
    (docs/fairness-research.md, section 13).
    """

    read: Float[Tensor, "items dim"]
    """Summed over a history."""
    ranked: Float[Tensor, "items dim"]
    """Compared with a reader."""


class Interest(NamedTuple):
    """Both parts of the interest of a batch's readers, and the news they are compared with."""

    news: NewsVectors
    bias_free: Float[Tensor, "batch dim"]
    bias_aware: Float[Tensor, "batch dim"]
    audience: Float[Tensor, "audience dim"]
    """Bias-free part of the batch's audience, as it would be published: without dropout."""
    aside: Float[Tensor, "items dim"]
    """What the bias-aware part knows of the news besides."""


class FairRec(nn.Module):
    """A news encoder and two user encoders; ranks with the bias-free one alone.

    What is read of news comes to suit the bias-free part: sums of it do not tell readers apart. The
    bias-aware one reads it together with topics and ids of its own.
    """

    def __init__(
        self, config: ModelConfig, sizes: FeatureSizes, *, decomposed: bool = True
    ) -> None:
        """Set up.

        Args:
            config: Sizes of the networks.
            sizes: How many values each feature of a news takes.
            decomposed: Compute the bias-aware part; otherwise it is zero.
        """
        super().__init__()
        self._decomposed = decomposed
        self.dim, width = config.dim, config.dim * (1 + (config.read_apart is True))
        self.news_encoder = NewsEncoder(width, config.news, sizes)
        self.bias_free = UserEncoder(**config.tower())
        self.bias_aware = UserEncoder(**config.tower())
        views = tuple(view for view in config.news.views if view in OWN_VIEWS)
        own = config.news.model_copy(update={"views": views})
        self.aside = NewsEncoder(config.dim, own, sizes)

    def forward(self, batch: Batch) -> Interest:
        """Encode the batch's news once and its readers twice."""
        news = self.sides(self.news_encoder(batch.news), batch.news.evenness)
        bias_free = self.bias_free(news.read, batch.history, batch.history_mask)
        aside, bias_aware = torch.zeros_like(news.read), torch.zeros_like(bias_free)
        if self._decomposed:
            aside = self.aside(batch.news)
            bias_aware = self.bias_aware(news.read + aside, batch.history, batch.history_mask)
        return Interest(
            news=news,
            bias_free=bias_free,
            bias_aware=bias_aware,
            audience=self.bias_free.published(news.read, batch.audience, batch.audience_mask),
            aside=aside,
        )

    def sides(
        self, encoded: Float[Tensor, "items width"], evenness: Float[Tensor, " items"]
    ) -> NewsVectors:
        """Tell what is read from what is ranked in what the news encoder gives."""
        read = encoded[:, : self.dim] * evenness[:, None]
        return NewsVectors(read=read, ranked=encoded[:, -self.dim :])
