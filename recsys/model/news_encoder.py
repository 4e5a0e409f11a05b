"""A news' vector from its title, topic, document vector and id: whatever of these there is."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from recsys.config import Config
from recsys.model.attention import SequenceEncoder
from recsys.model.batch import NewsFeatures
from recsys.model.embeddings import EmbeddingTables, Width, distinct

View = Literal["title", "category", "subcategory", "document", "id"]


class NewsEncoderConfig(Config):
    """Which views of a news are used, and how large they are."""

    views: tuple[View, ...] = Field(
        default=("title", "category", "subcategory", "document"), min_length=1
    )
    """Some of title, category, subcategory, document, id."""
    even_supply: bool = False
    """Let a click count less, in a history, the more of its topic was shown around then, as if all
    topics had been offered evenly: see `recsys.training.supply`. For encoders that sum clicks."""
    word_dim: Width = 64
    """Width of the word table; a multiple of 4."""
    title_tokens: PositiveInt = 30
    """Words of a title that are read."""
    heads: PositiveInt = 4
    """Attention heads; divides the model's dim."""
    hidden: PositiveInt = 64
    """Units of the additive attention."""
    vocabulary: PositiveInt = 30_000
    """Words known, at most; learned from the titles of the training data."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of mixed units set to zero in training."""


class FeatureSizes(Config):
    """How many values each feature takes, row 0 (unknown) included; known from the data."""

    words: PositiveInt
    categories: PositiveInt
    subcategories: PositiveInt
    ids: PositiveInt
    document: NonNegativeInt = 0


class NewsEncoder(nn.Module):
    """Sum of the views a news has; one that is missing adds nothing.

    The title is read by NRMS' block; topics and ids are embeddings; a ready-made document vector
    is projected. A news with none of them still has the vector of "unknown", which is learned.
    """

    def __init__(self, dim: int, config: NewsEncoderConfig, sizes: FeatureSizes) -> None:
        super().__init__()
        self.unknown = nn.Parameter(torch.zeros(dim))
        if "title" in config.views:
            self.words = EmbeddingTables({"word": sizes.words}, config.word_dim)
            self.title = SequenceEncoder(
                config.word_dim,
                dim,
                heads=config.heads,
                hidden=config.hidden,
                dropout=config.dropout,
            )
        if "document" in config.views and sizes.document:
            self.document = nn.Linear(sizes.document, dim, bias=False)
        rows = {"category": sizes.categories, "subcategory": sizes.subcategories, "id": sizes.ids}
        self.topics = [name for name in rows if name in config.views]
        if self.topics:
            self.tables = EmbeddingTables({name: rows[name] for name in self.topics}, dim)

    def forward(self, news: NewsFeatures) -> Float[Tensor, "items dim"]:
        """Encode each news once."""
        vectors = self.unknown.expand(len(news.ids), -1)
        if hasattr(self, "title"):
            vectors = vectors + self._read_titles(news)
        if hasattr(self, "document"):
            vectors = vectors + self.document(news.document)
        if self.topics:
            vectors = vectors + self._look_up_topics(news)
        return vectors

    def _read_titles(self, news: NewsFeatures) -> Float[Tensor, "items dim"]:
        words, index = distinct(news.tokens)
        return self.title(self.words({"word": words})["word"], index, news.tokens > 0)

    def _look_up_topics(self, news: NewsFeatures) -> Float[Tensor, "items dim"]:
        asked = news.table_rows
        wanted = {name: distinct(asked[name]) for name in self.topics}
        found = self.tables({name: rows for name, (rows, _) in wanted.items()})
        parts = [functional.embedding(index, found[name]) for name, (_, index) in wanted.items()]
        return torch.stack(parts).sum(dim=0)
