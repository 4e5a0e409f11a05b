"""Trains any method on one fold: the same ratings, loop and validation for all."""

import copy
import math

import numpy as np
import torch
from jaxtyping import Float32, Float64
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from recsys.errors import DataError, RecsysError
from recsys.propensity.estimate import EXPOSURE, Balancer
from recsys.propensity.exposure import popularity
from recsys.propensity.weights import check, self_normalised
from recsys.training.ratings.expomf import ExpoMF
from recsys.training.ratings.factorisation import Factorisation
from recsys.training.ratings.fold import Fold, as_tensors
from recsys.training.ratings.loop import Loop, Ratings, Reweigh
from recsys.training.ratings.methods import Method, MethodsConfig
from recsys.training.ratings.objectives import DoublyRobust, Implicit, Observed


class RecommenderDiverged(RecsysError):
    """Scores are no longer numbers."""

    def __init__(self) -> None:
        super().__init__(
            "the recommender's scores are not finite; smaller methods.loop.lr or penalties may help"
        )


class Trainer:
    """Trains methods on one fold.

    Args:
        fold: The data.
        config: What all methods share.
        content: What is known of the study's news, for methods that are given it.
    """

    def __init__(
        self,
        fold: Fold,
        config: MethodsConfig,
        content: Float32[np.ndarray, "news columns"] | None = None,
    ) -> None:
        self.fold, self.config, self.content = fold, config, content

    def train(self, method: Method, penalty: float) -> tuple[Factorisation, float]:
        """Train; return the recommender of the best epoch and its validation AUC.

        Raises:
            DataError: The method is to be given what news are about, and nothing is known of that;
                or all validation ratings are liked, or none.
            RecommenderDiverged: Its scores are no longer numbers.
        """
        generator = torch.Generator().manual_seed(self.fold.seed)
        if method.objective == "expomf":
            return self._maximise(penalty, generator)
        objective = self._objective(method, penalty, generator)
        recommender: Factorisation = objective.recommender  # type: ignore[assignment]
        ratings = self._ratings(method)
        trained = Loop(self.config.loop, self.fold.study.shape, generator).fit(
            objective,
            ratings,
            lambda: self._validate(recommender),
            self._reweigh(method, recommender, ratings),
        )
        return recommender, max(trained.scores)

    def _maximise(self, penalty: float, generator: torch.Generator) -> tuple[Factorisation, float]:
        """Train ExpoMF, an epoch a step of expectation maximisation."""
        training, shape = self.fold.training, self.fold.study.shape
        liked = torch.zeros(shape, dtype=torch.bool)
        liked[as_tensors(training.pairs.take(training.labels(self.config.positive) > 0))] = True
        recommender = Factorisation(shape, self.config.factorisation, generator)
        model = ExpoMF(recommender, liked, penalty, self.config.expomf)
        best, kept = -math.inf, recommender
        for _ in range(self.config.loop.max_epochs):
            model.step()
            if (score := self._validate(recommender)) > best:
                best, kept = score, copy.deepcopy(recommender)
        return kept, best

    def _validate(self, recommender: Factorisation) -> float:
        """Measure the AUC of the validation ratings."""
        validation, positive = self.fold.validation, self.config.positive
        labels = validation.labels(positive)
        if len(np.unique(labels)) < 2:
            raise DataError(
                f"methods.positive={positive:g}: {labels.sum():.0f} of {len(labels)} validation "
                "ratings reach it; expected some that do and some that do not"
            )
        scores = recommender.predict(*as_tensors(validation.pairs))
        if not torch.isfinite(scores).all():
            raise RecommenderDiverged
        return float(roc_auc_score(labels, scores))

    def _objective(self, method: Method, penalty: float, generator: torch.Generator) -> nn.Module:
        confounder = self.fold.confounder() if "exposure" in method.given else None
        content = self._content() if "content" in method.given else None

        def model() -> Factorisation:
            shape, size = self.fold.study.shape, self.config.factorisation
            return Factorisation(shape, size, generator, confounder, content)

        if method.objective == "dr":
            return DoublyRobust(model(), model(), penalty)
        if method.objective == "rel-mf":
            return Implicit(model(), self._relevance_propensities(), 1.0, penalty)
        if method.objective == "wmf":
            ones = torch.ones(self.fold.study.shape[1])
            return Implicit(model(), ones, self.config.unlabelled, penalty)
        return Observed(model(), penalty)

    def _content(self) -> Tensor:
        if self.content is None or not self.content.shape[1]:
            raise DataError(
                "+content needs what tells news apart (category, subcategory, provider, "
                "embedding), found nothing"
            )
        return torch.from_numpy(self.content)

    def _relevance_propensities(self) -> Tensor:
        """Rel-MF's: popularity among the liked, never below the floor."""
        training = self.fold.training
        liked = training.pairs.news[training.labels(self.config.positive) > 0]
        theta = popularity(np.bincount(liked, minlength=self.fold.study.shape[1]))
        return torch.as_tensor(np.maximum(theta, self.config.floor), dtype=torch.float32)

    def _ratings(self, method: Method) -> Ratings:
        training = self.fold.training
        weights = np.ones(len(training))
        if method.propensity in EXPOSURE:
            weights = self._weights(method.propensity)
        elif method.propensity:
            choice = "random" if method.propensity == "kernel-adaptive" else None
            weights = self._balancer(method, choice).weights()[0]
        labels = training.labels(self.config.positive)
        return Ratings(
            *as_tensors(training.pairs),
            torch.as_tensor(labels, dtype=torch.float32),
            torch.as_tensor(weights, dtype=torch.float32),
        )

    def _weights(self, propensity: str) -> Float64[np.ndarray, " observed"]:
        rng = np.random.default_rng(self.fold.seed)
        found = EXPOSURE[propensity](self.fold.observations(), rng)
        return self_normalised(check(found.propensities, propensity), self.config.floor)

    def _balancer(self, method: Method, choice: str | None = None) -> Balancer:
        wanted = choice or method.propensity.removeprefix("kernel-")
        config = self.config.kernel.model_copy(update={"choice": wanted})
        base = self._weights(self.config.base) if self.config.base else None
        rng = np.random.default_rng(self.fold.seed)
        return Balancer(self.fold.observations(), base, config, rng)

    def _reweigh(
        self, method: Method, recommender: Factorisation, ratings: Ratings
    ) -> Reweigh | None:
        """Let the balancing functions follow the recommender's errors as it learns."""
        if method.propensity != "kernel-adaptive":
            return None
        balancer = self._balancer(method)

        def reweigh(epoch: int) -> Tensor | None:
            if not epoch or epoch % self.config.reweigh_epochs:
                return None
            logits = recommender.predict(ratings.readers, ratings.news)
            errors = cross_entropy(logits, ratings.labels, reduction="none")
            weights, _ = balancer.weights(errors.double().numpy())
            return torch.as_tensor(weights, dtype=torch.float32)

        return reweigh
