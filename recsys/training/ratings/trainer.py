"""Trains any method on one fold: the same ratings, loop and validation for all."""

import copy
import math
from collections.abc import Set
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float32, Float64
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from recsys.errors import DataError, RecsysError
from recsys.propensity.estimate import EXPOSURE, Balancer
from recsys.propensity.exposure import popularity
from recsys.propensity.weights import check, self_normalised
from recsys.training.ratings.expomf import ExpoMF
from recsys.training.ratings.factorisation import Factorisation
from recsys.training.ratings.fold import Fold, as_tensors
from recsys.training.ratings.imputation import Imputation, cross_fit
from recsys.training.ratings.loop import Loop, Ratings, Reweigh
from recsys.training.ratings.methods import GIVEN, KERNELS, Method, MethodsConfig
from recsys.training.ratings.objectives import DoublyRobust, Implicit, Objective, Observed
from recsys.training.ratings.targeting import Targeted, fluctuation

Recommender = Factorisation | Imputation


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
        self._imputations: dict[float, Imputation] = {}
        self._targeted: dict[str, Targeted] = {}

    def train(self, method: Method, penalty: float) -> tuple[Recommender, float]:
        """Train; return the recommender of the best epoch and its validation AUC.

        Raises:
            DataError: The method is to be given what news are about, and nothing is known of that;
                or all validation ratings are liked, or none.
            RecommenderDiverged: Its scores are no longer numbers.
        """
        generator = torch.Generator().manual_seed(self.fold.seed)
        if method.objective == "expomf":
            return self._maximise(penalty, generator)
        if method.objective == "imputation":
            imputation = self._imputation(penalty)
            return imputation, self._validate(imputation)
        objective = self._objective(method, penalty, generator)
        recommender, ratings = objective.recommender, self._ratings(method)
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

    def _validate(self, recommender: Recommender) -> float:
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

    def _objective(self, method: Method, penalty: float, generator: torch.Generator) -> Objective:
        model = self._model(method.given, generator)
        if method.objective == "dr":
            return DoublyRobust(model, self._labels(method), penalty)
        if method.objective == "rel-mf":
            return Implicit(model, self._relevance_propensities(), 1.0, penalty)
        if method.objective == "wmf":
            ones = torch.ones(self.fold.study.shape[1])
            return Implicit(model, ones, self.config.unlabelled, penalty)
        return Observed(model, penalty)

    def _model(self, given: Set[str], generator: torch.Generator) -> Factorisation:
        """Start a recommender that is given some of ``GIVEN``."""
        confounder = self.fold.confounder() if "exposure" in given else None
        content = self._content() if "content" in given else None
        shape, size = self.fold.study.shape, self.config.factorisation
        return Factorisation(shape, size, generator, confounder, content)

    def _imputation(self, penalty: float) -> Imputation:
        """Cross-fit recommenders that know more or less; keep the best on what they left out."""
        if penalty not in self._imputations:
            ratings = self._observed(np.ones(len(self.fold.training)))
            tried = [self._cross_fit(given, ratings, penalty) for given in self._knowledge()]
            best = min(tried, key=lambda one: one.loss(ratings.labels))
            if not torch.isfinite(best.out_of_fold).all():
                raise RecommenderDiverged
            self._imputations[penalty] = best
        return self._imputations[penalty]

    def _knowledge(self) -> list[frozenset[str]]:
        """List what an imputation may be given: any of ``GIVEN`` that there is."""
        known = self.content is not None and self.content.shape[1] > 0
        there = [name for name in GIVEN if name != "content" or known]
        sizes = range(len(there) + 1)
        return [frozenset(some) for size in sizes for some in combinations(there, size)]

    def _cross_fit(self, given: Set[str], ratings: Ratings, penalty: float) -> Imputation:
        generator = torch.Generator().manual_seed(self.fold.seed)
        return cross_fit(
            lambda: self._model(given, generator),
            ratings,
            Loop(self.config.loop, self.fold.study.shape, generator),
            penalty=penalty,
            parts=self.config.imputation.parts,
        )

    def _labels(self, method: Method) -> Targeted:
        """Target the best imputation by a method's weights, along what its errors are made of.

        The errors are y minus imputed y: the loss minus the imputed loss (AKB for DR, Li et al.,
        ICLR 2024) for each unit of score, known before anything has been scored.
        """
        if method.propensity not in self._targeted:
            training = self.fold.training
            labels = training.labels(self.config.positive)
            tried = [self._imputation(penalty) for penalty in self.config.imputation.penalties]
            best = min(tried, key=lambda one: one.loss(torch.from_numpy(labels).float()))
            imputed = best.out_of_fold.double().numpy()
            errors = labels - expit(imputed)
            functions = self._balancer("adaptive").explaining(errors)
            weights = self._weights(method.propensity, errors)
            shift = fluctuation(functions(training.pairs), imputed, labels, weights)
            self._targeted[method.propensity] = Targeted(best, functions, shift)
        return self._targeted[method.propensity]

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
        """Weigh the training ratings; those of doubly robust training weigh in its labels."""
        return self._observed(self._weights(method.propensity if method.objective == "ips" else ""))

    def _observed(self, weights: Float64[np.ndarray, " observed"]) -> Ratings:
        training = self.fold.training
        labels = training.labels(self.config.positive)
        return Ratings(
            *as_tensors(training.pairs),
            torch.as_tensor(labels, dtype=torch.float32),
            torch.as_tensor(weights, dtype=torch.float32),
        )

    def _weights(
        self, propensity: str, errors: Float64[np.ndarray, " observed"] | None = None
    ) -> Float64[np.ndarray, " observed"]:
        """Weigh by name; without errors, adaptive balancing starts from functions at random."""
        if not propensity:
            return np.ones(len(self.fold.training))
        if propensity in KERNELS:
            choice = propensity.removeprefix("kernel-")
            start = choice == "adaptive" and errors is None
            return self._balancer("random" if start else choice).weights(errors)[0]
        rng = np.random.default_rng(self.fold.seed)
        found = EXPOSURE[propensity](self.fold.observations(), rng)
        return self_normalised(check(found.propensities, propensity), self.config.floor)

    def _balancer(self, choice: str) -> Balancer:
        config = self.config.kernel.model_copy(update={"choice": choice})
        base = self._weights(self.config.base) if self.config.base else None
        rng = np.random.default_rng(self.fold.seed)
        return Balancer(self.fold.observations(), base, config, rng)

    def _reweigh(
        self, method: Method, recommender: Factorisation, ratings: Ratings
    ) -> Reweigh | None:
        """Let the balancing functions follow the recommender's errors as it learns."""
        if (method.objective, method.propensity) != ("ips", "kernel-adaptive"):
            return None
        balancer = self._balancer("adaptive")

        def reweigh(epoch: int) -> Tensor | None:
            if not epoch or epoch % self.config.reweigh_epochs:
                return None
            logits = recommender.predict(ratings.readers, ratings.news)
            errors = cross_entropy(logits, ratings.labels, reduction="none")
            weights, _ = balancer.weights(errors.double().numpy())
            return torch.as_tensor(weights, dtype=torch.float32)

        return reweigh
