"""What a rating recommender may minimise: one module an objective, each wrapping the recommender.

An objective is given :class:`Batch` after batch by `recsys.training.ratings.loop` and returns a
scalar. Labels are 0 or 1; weights have mean 1 over the observed pairs.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from recsys.training.ratings.factorisation import Factorisation


@dataclass(frozen=True)
class Batch:
    """Observed pairs with their labels, and as many pairs as wanted from the whole."""

    readers: Int64[Tensor, " observed"]
    news: Int64[Tensor, " observed"]
    labels: Float[Tensor, " observed"]
    weights: Float[Tensor, " observed"]
    whole_readers: Int64[Tensor, " whole"]
    whole_news: Int64[Tensor, " whole"]


class Observed(nn.Module):
    r"""Weighted cross-entropy of what was observed: :math:`\frac1n \sum_O w \, \ell(y, \hat y)`.

    Naive with weights of 1; inverse propensity scoring with any others (Schnabel et al., 2016, eq.
    10, arXiv 1602.05352), self-normalised as the weights have mean 1.

    Args:
        recommender: What is trained.
        penalty: Of the recommender's norm.
    """

    def __init__(self, recommender: Factorisation, penalty: float) -> None:
        super().__init__()
        self.recommender, self.penalty = recommender, penalty

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        logits = self.recommender(batch.readers, batch.news)
        loss = cross_entropy(logits, batch.labels, batch.weights)
        return loss + self.penalty * self.recommender.norm()


class Implicit(nn.Module):
    r"""Pointwise loss of implicit feedback over observed positives and unlabelled pairs.

    .. math:: \frac{\sum Y/\theta (1 - s)^2 + w (1 - Y/\theta) s^2}{\sum Y + w (1 - Y)}, \quad
              s = \sigma(\hat y)

    Rel-MF with :math:`w = 1` and propensities theta (Saito et al., 2020, eq. 7,
    doi:10.1145/3336191.3371783); WMF (Hu et al., 2008) with :math:`\theta = 1`. A negative second
    factor makes the loss of a pair unbounded in 1/theta: clip the propensities.

    Args:
        recommender: What is trained.
        propensities: Of every news, in (0, 1].
        unlabelled: Weight w of pairs without a positive, above 0.
        penalty: Of the recommender's norm.
    """

    propensities: Tensor

    def __init__(
        self,
        recommender: Factorisation,
        propensities: Float[Tensor, " news"],
        unlabelled: float,
        penalty: float,
    ) -> None:
        super().__init__()
        self.recommender, self.unlabelled, self.penalty = recommender, unlabelled, penalty
        self.register_buffer("propensities", propensities)

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        liked = batch.labels > 0
        readers = torch.cat([batch.readers[liked], batch.whole_readers])
        news = torch.cat([batch.news[liked], batch.whole_news])
        clicks = torch.zeros(len(news), device=news.device)
        clicks[: int(liked.sum())] = 1
        gains = clicks / self.propensities[news]
        scores = self.recommender(readers, news).sigmoid()
        terms = gains * (1 - scores).square() + self.unlabelled * (1 - gains) * scores.square()
        total = (clicks + self.unlabelled * (1 - clicks)).sum()
        return terms.sum() / total + self.penalty * self.recommender.norm()


class DoublyRobust(nn.Module):
    r"""Imputed loss on the whole, corrected where ratings were observed; both models learn jointly.

    .. math:: \frac{1}{|D|} \sum_D \ell(\tilde y, \hat y)
              + \frac1n \sum_O w \, [\ell(y, \hat y) - \ell(\tilde y, \hat y)]

    with labels :math:`\tilde y` imputed by a second factorisation that minimises
    :math:`\frac1n \sum_O w \, [\ell(y, \hat y) - \ell(\tilde y, \hat y)]^2`, no gradient crossing
    over (Wang et al., 2019, eq. 5 and 8, ICML, "Doubly robust joint learning"; Li et al., ICLR
    2024). Unbiased if the weights or the imputed errors are right.

    Args:
        recommender: What is trained.
        imputation: The second model.
        penalty: Of the norms of both.
    """

    def __init__(
        self, recommender: Factorisation, imputation: Factorisation, penalty: float
    ) -> None:
        super().__init__()
        self.recommender, self.imputation, self.penalty = recommender, imputation, penalty

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        seen, whole = (batch.readers, batch.news), (batch.whole_readers, batch.whole_news)
        logits, guess = self.recommender(*seen), self.imputation(*seen).sigmoid()
        # the difference of two cross-entropies with the same logits is linear in them
        correction = (batch.weights * (guess.detach() - batch.labels) * logits).mean()
        imputed = self.imputation(*whole).sigmoid().detach()
        loss = cross_entropy(self.recommender(*whole), imputed) + correction
        miss = ((guess - batch.labels) * logits.detach()).square()
        penalty = self.recommender.norm() + self.imputation.norm()
        return loss + (batch.weights * miss).mean() + self.penalty * penalty
