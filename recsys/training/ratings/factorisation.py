"""Matrix factorisation with biases: the recommender that every rating objective trains."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.config import Config


class FactorisationConfig(Config):
    """Size of the recommender."""

    dim: PositiveInt = 32
    """Length of a factor; the penalty, not this, should decide the capacity."""
    scale: NonNegativeFloat = 0.1
    """Standard deviation of the factors at the start."""


@dataclass(frozen=True)
class Confounder:
    """Factors whose product is a pair's logit of being observed: a substitute for what is unseen.

    What a reader came across tells of their taste (Wang, Liang, Charlin and Blei, 2020,
    arXiv 1808.06581): given to the recommender, the logit enters with one learned coefficient.
    """

    readers: Float[Tensor, "readers factors"]
    news: Float[Tensor, "news factors"]


class Factorisation(nn.Module):
    r"""Logit of liking: :math:`b + b_u + b_i + p_u \cdot q_i \; (+\, a \, r_u \cdot v_i)`.

    With content c, a news' bias and factors are those of its id plus those of what it is about,
    :math:`[q_i, b_i] = [q'_i, b'_i] + c_i W` (Kula, 2015, arXiv 1507.08439).

    Args:
        shape: Numbers of readers and news.
        config: Length and start of the factors.
        generator: Draws the start.
        confounder: Fixed r and v; None leaves the last term out.
        content: What is known of each news, a row each, taken at unit length; None for nothing.
    """

    exposed_readers: Tensor
    exposed_news: Tensor
    content: Tensor

    def __init__(
        self,
        shape: tuple[int, int],
        config: FactorisationConfig,
        generator: torch.Generator,
        confounder: Confounder | None = None,
        content: Float[Tensor, "news columns"] | None = None,
    ) -> None:
        super().__init__()
        self.readers = nn.Parameter(_start(shape[0], config, generator))
        self.news = nn.Parameter(_start(shape[1], config, generator))
        about = torch.zeros(shape[1], 0) if content is None else content
        self.columns = nn.Parameter(_start(about.shape[1], config, generator))
        self.intercept = nn.Parameter(torch.zeros(()))
        self.influence = nn.Parameter(torch.zeros(()))
        known = confounder or Confounder(torch.zeros(shape[0], 0), torch.zeros(shape[1], 0))
        self.register_buffer("exposed_readers", known.readers)
        self.register_buffer("exposed_news", known.news)
        self.register_buffer("content", normalize(about, dim=1))

    def forward(
        self, readers: Int64[Tensor, " pairs"], news: Int64[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Score pairs."""
        # the last column of either table is its bias
        by_reader, by_news = self.readers[readers], (self.news + self.content @ self.columns)[news]
        taste = (by_reader[:, :-1] * by_news[:, :-1]).sum(-1)
        exposure = (self.exposed_readers[readers] * self.exposed_news[news]).sum(-1)
        bias = self.intercept + by_reader[:, -1] + by_news[:, -1]
        return bias + taste + self.influence * exposure

    def norm(self) -> Float[Tensor, ""]:
        """Mean squared norm of a reader, plus that of a news, plus that of a column: the penalty.

        Every row of a table counts alike, as under one prior for all; penalising the rows of a
        batch instead would let rare news overfit.
        """
        tables = (self.readers, self.news, self.columns)
        return torch.stack([table.square().sum() / max(len(table), 1) for table in tables]).sum()

    @torch.no_grad()
    def predict(
        self, readers: Int64[Tensor, " pairs"], news: Int64[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Score pairs without gradient, a block at a time."""
        blocks = zip(readers.split(1 << 20), news.split(1 << 20), strict=True)
        return torch.cat([self(*block) for block in blocks])


def _start(
    rows: int, config: FactorisationConfig, generator: torch.Generator
) -> Float[Tensor, "rows dim_plus_1"]:
    table = config.scale * torch.randn(rows, config.dim + 1, generator=generator)
    table[:, -1] = 0
    return table
