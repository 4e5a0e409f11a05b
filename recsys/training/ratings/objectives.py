"""What a rating recommender may minimise: one module an objective, each wrapping the recommender.

An objective is given :class:`Batch` after batch by `recsys.training.ratings.loop` and returns a
scalar. Labels are 0 or 1; weights have mean 1 over the observed pairs.
"""

from collections.abc import Callable
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


Labels = Callable[[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]], Float[Tensor, " pairs"]]
"""Labels of pairs of readers and news."""


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
    r"""Cross-entropy of targeted labels on the whole.

    .. math:: \frac{1}{|D|} \sum_D \ell(y^*, \hat y)

    The doubly robust loss (Wang et al., 2019, eq. 5, ICML; Li et al., ICLR 2024) of labels from
    which its correction has been taken away by `recsys.training.ratings.targeting`. Unbiased if the
    weights that targeted them, or the imputed labels, are right.

    Args:
        recommender: What is trained; no observed label reaches it but through the targeted ones.
        labels: Gives those of any pairs, between 0 and 1.
        penalty: Of the recommender's norm.
    """

    def __init__(self, recommender: Factorisation, labels: Labels, penalty: float) -> None:
        super().__init__()
        self.recommender, self.labels, self.penalty = recommender, labels, penalty

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        whole = (batch.whole_readers, batch.whole_news)
        loss = cross_entropy(self.recommender(*whole), self.labels(*whole))
        return loss + self.penalty * self.recommender.norm()


Objective = Observed | Implicit | DoublyRobust
