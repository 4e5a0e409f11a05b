"""What the networks are given: every distinct news of a batch once, and rows of it everywhere."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class NewsFeatures(NamedTuple):
    """What is known of some distinct news before any network looked at them."""

    ids: Int[Tensor, " items"]
    """Row of the id table; 0 for a news the training log has not shown."""
    tokens: Int[Tensor, "items tokens"]
    """Words of the title; 0 is padding."""
    categories: Int[Tensor, " items"]
    """0 unknown."""
    subcategories: Int[Tensor, " items"]
    """0 unknown."""
    document: Float[Tensor, "items document"]
    """Ready-made document vectors; zero, or of width 0, where the data has none."""
    evenness: Float[Tensor, " items"]
    """What a click of it counts in a history: 1, or what evens out which topics were offered."""

    @property
    def table_rows(self) -> dict[str, Int[Tensor, " items"]]:
        """Rows of the embedding tables, by the name of the view that has one."""
        return {"category": self.categories, "subcategory": self.subcategories, "id": self.ids}


class Batch(NamedTuple):
    """Slates to rank, one a row. ``history`` and ``candidates`` hold rows of ``news``."""

    news: NewsFeatures
    history: Int[Tensor, "batch length"]
    """Clicked news, newest last."""
    history_mask: Bool[Tensor, "batch length"]
    """False for padding."""
    candidates: Int[Tensor, "batch slate"]
    candidate_mask: Bool[Tensor, "batch slate"]
    """False for padding."""
    clicks: Float[Tensor, "batch slate"]
    """1 where a candidate was clicked, or is imputed to be liked, else 0."""
    weights: Float[Tensor, "batch slate"]
    """What those count: 1, or what was estimated from propensities."""
    negatives: Int[Tensor, " negatives"]
    """News drawn from the catalogue that every slate of the batch is compared with; may be none."""
    attributes: Int[Tensor, "batch attributes"]
    """Class of each sensitive attribute; 0 where it is not known."""
    known: Bool[Tensor, "batch attributes"]
    """True where an attribute is known and may be used."""
    audience: Int[Tensor, "audience length"]
    """Histories of readers drawn from all there are, as their vectors are published; they stand
    for everybody where groups are balanced. May be none."""
    audience_mask: Bool[Tensor, "audience length"]
    """False for padding."""
    beliefs: Float[Tensor, "audience groups"]
    """How likely each of these is of each group, told or not; width 0 if nothing is estimated."""
    readers: Int[Tensor, " batch"]
    """Row of the reader, to tell readers of a batch apart."""
