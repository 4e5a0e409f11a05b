"""What readers would have said of news they did not rate: the labels doubly robust training needs.

The imputation is a recommender of its own and may know more than the one that learns from it. It
reads training ratings only: no validation rating chooses what it knows or when it ends.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from recsys.config import Config
from recsys.training.ratings.factorisation import Factorisation
from recsys.training.ratings.loop import Loop, Ratings
from recsys.training.ratings.objectives import Observed


class ImputationConfig(Config):
    """How the imputation is fitted."""

    parts: int = Field(default=5, ge=2)
    """Of the training ratings, each of them predicted by a model that has not seen it."""
    penalties: tuple[NonNegativeFloat, ...] = Field((0.01, 0.03, 0.05, 0.07), min_length=1)
    """Tried for doubly robust training; the least loss of what a model has not seen wins."""


@dataclass(frozen=True)
class Imputation:
    """Models that have each left one part of the ratings out."""

    models: list[Factorisation]
    out_of_fold: Float[Tensor, " observed"]
    """Logit of each training rating's being liked, by the model that has not seen it."""

    def predict(
        self, readers: Int64[Tensor, " pairs"], news: Int64[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Score pairs: the logit of the models' mean probability."""
        each = [model.predict(readers, news).sigmoid() for model in self.models]
        return torch.stack(each).mean(dim=0).logit(eps=1e-6)

    def loss(self, labels: Float[Tensor, " observed"]) -> float:
        """Return the log loss of the training ratings, each by the model that has not seen it."""
        return cross_entropy(self.out_of_fold, labels).item()


def cross_fit(
    model: Callable[[], Factorisation],
    ratings: Ratings,
    loop: Loop,
    *,
    penalty: float,
    parts: int,
) -> Imputation:
    """Train one model without each part of the ratings, and keep every model's last epoch.

    Judged in sample, an imputation would find its errors too small: what corrects it must look at
    ratings it has not learned (Chernozhukov et al., 2018, section 3, doi:10.1111/ectj.12097).

    Args:
        model: Makes a recommender, untrained.
        ratings: To learn from.
        loop: Trains; its generator cuts the ratings into parts.
        penalty: Of a model's norm.
        parts: At least 2.
    """
    draw = torch.randperm(len(ratings), generator=loop.generator)
    models, out_of_fold = [], torch.empty(len(ratings))
    for part in range(parts):
        out = draw % parts == part
        objective = Observed(model(), penalty)
        loop.fit(objective, ratings.take(~out))
        models.append(objective.recommender)
        left = ratings.take(out)
        out_of_fold[out] = models[-1].predict(left.readers, left.news)
    return Imputation(models, out_of_fold)
