r"""ExpoMF: whether a reader came across a news is hidden, and inferred beside the taste.

Liang, Charlin, McInerney and Blei, 2016, "Modeling user exposure in recommendation",
arXiv:1510.07025, with a prior of exposure for each news. Of reader u and news i,

.. math:: a_{ui} \sim \mathrm{Bernoulli}(\mu_i), \quad
          y_{ui} \mid a_{ui} = 1 \sim N(\theta_u \cdot \beta_i, \lambda_y^{-1}), \quad
          y_{ui} \mid a_{ui} = 0 \;=\; 0

An unliked news that suits the reader was probably not seen; it then says little of the taste, where
WMF gives every such pair the same small weight.
"""

import math

import torch
from jaxtyping import Bool, Float
from pydantic import Field, PositiveFloat
from torch import Tensor

from recsys.config import Config
from recsys.training.ratings.factorisation import Factorisation

ROWS = 1024
"""Rows solved for at once: bounds the memory of their normal equations."""


class ExpoMFConfig(Config):
    """What the model takes as given."""

    precision: PositiveFloat = 1.0
    """Of what is liked around its score (lambda_y)."""
    exposure: float = Field(default=0.01, gt=0, lt=1)
    """Prior of exposure of every news at the start."""


class ExpoMF:
    """Expectation maximisation of the posterior, in the tables of a factorisation.

    Biases stay 0 and there is no intercept, as published. Memory and time of a step grow with
    readers times news.

    Args:
        recommender: Trained in place; its start is that of theta and beta.
        liked: 1 where a reader liked a news, else 0.
        penalty: Precision of the factors: ``penalty * news`` of a reader's, ``penalty * readers``
            of a news', which is :meth:`Factorisation.norm` beside a mean over all pairs.
        config: What is given.
    """

    def __init__(
        self,
        recommender: Factorisation,
        liked: Bool[Tensor, "readers news"],
        penalty: float,
        config: ExpoMFConfig,
    ) -> None:
        self.recommender, self.config = recommender, config
        self._liked, self._penalty = liked, penalty
        self.exposure: Float[Tensor, " news"] = torch.full((liked.shape[1],), config.exposure)

    @torch.no_grad()
    def step(self) -> None:
        """Infer exposure (E), then maximise over readers, news and the prior in turn (M)."""
        exposed = self.exposed()
        readers, news = self.recommender.readers[:, :-1], self.recommender.news[:, :-1]
        size = self._liked.shape
        gains = exposed * self._liked
        readers.copy_(self._solve(news, exposed, gains, self._penalty * size[1]))
        news.copy_(self._solve(readers, exposed.T, gains.T, self._penalty * size[0]))
        # the mode of Beta(1 + seen, 1 + unseen), off 0 and 1 by one look of each
        self.exposure = (exposed.sum(dim=0) + 1) / (size[0] + 2)

    @torch.no_grad()
    def exposed(self) -> Float[Tensor, "readers news"]:
        r"""Probability that each reader saw each news (the paper's eq. 3); 1 where it was liked.

        .. math:: p_{ui} = \frac{\mu_i N(0 \mid s_{ui}, \lambda_y^{-1})}
                  {\mu_i N(0 \mid s_{ui}, \lambda_y^{-1}) + 1 - \mu_i}
        """
        precision = self.config.precision
        scores = self.recommender.readers[:, :-1] @ self.recommender.news[:, :-1].T
        density = math.sqrt(precision / (2 * math.pi)) * (-precision * scores.square() / 2).exp()
        odds = self.exposure / (1 - self.exposure) * density
        return torch.where(self._liked, 1.0, odds / (1 + odds))

    def _solve(
        self,
        others: Float[Tensor, "columns dim"],
        weights: Float[Tensor, "rows columns"],
        gains: Float[Tensor, "rows columns"],
        shrinkage: float,
    ) -> Float[Tensor, "rows dim"]:
        r"""Regress each row's gains on the others (the paper's eq. 4 and 5).

        .. math:: \theta = \Big(\lambda_y \sum_i p_i \beta_i \beta_i^\top + \lambda I\Big)^{-1}
                  \lambda_y \sum_i p_i y_i \beta_i
        """
        dim = others.shape[1]
        squares = (others[:, :, None] * others[:, None, :]).flatten(1)
        ridge = shrinkage * torch.eye(dim)
        found = []
        for some, gain in zip(weights.split(ROWS), gains.split(ROWS), strict=True):
            left = self.config.precision * (some @ squares).view(-1, dim, dim) + ridge
            found.append(torch.linalg.solve(left, self.config.precision * gain @ others))
        return torch.cat(found)
