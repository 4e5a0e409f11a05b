"""One door to the exposure models: what was observed goes in, propensities and weights come out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64
from pydantic import PositiveInt

from recsys.config import Config
from recsys.errors import DataError
from recsys.propensity import choice, exposure
from recsys.propensity.balancing import BalanceConfig
from recsys.propensity.choice import Sample
from recsys.propensity.exposure import Exposures, FactorisationConfig
from recsys.propensity.kernels import (
    Covariates,
    Functions,
    Kernel,
    Pairs,
    median_scale,
    population,
)

WHOLE = 200_000
"""Unobserved pairs that an exposure model sees, and pairs that stand for the whole, at most."""

Anywhere = Callable[[Pairs], Float64[np.ndarray, " pairs"]]


@dataclass(frozen=True)
class Observations:
    """Pairs that were observed, and what may be known about them."""

    pairs: Pairs
    """May repeat."""
    shape: tuple[int, int]
    """Numbers of readers and news: the whole."""
    covariates: Covariates | None = None
    values: Float32[np.ndarray, " observed"] | None = None
    """Ratings, where there are any."""
    unbiased: Float32[np.ndarray, " randomised"] | None = None
    """Ratings of pairs shown by chance; whoever passes them may not evaluate on them."""

    @property
    def rate(self) -> float:
        """Share of all pairs that was observed, in (0, 1]."""
        distinct = np.unique(self.pairs.readers * self.shape[1] + self.pairs.news)
        return len(distinct) / (self.shape[0] * self.shape[1])

    def counts(self) -> Int64[np.ndarray, " news"]:
        """Count how often each news was observed."""
        return np.bincount(self.pairs.news, minlength=self.shape[1])

    def known(self) -> Covariates:
        """Return the covariates.

        Raises:
            DataError: There are none.
        """
        if self.covariates is None:
            raise DataError("this method needs covariates of readers and news, found none")
        return self.covariates


@dataclass(frozen=True)
class Estimate:
    """Propensities of the observed pairs."""

    propensities: Float64[np.ndarray, " observed"]
    """In (0, 1]."""
    anywhere: Anywhere | None = None
    """The model at any pair; None where it speaks of observed pairs only."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the method has to say about its fit."""


Base = Literal["", "popularity", "naive-bayes", "logistic", "factorised"]
"""Exposure model whose inverse propensities balancing starts from; empty: equal weights."""


class KernelConfig(Config):
    """How to choose and balance functions of a kernel."""

    kernel: Literal["gaussian", "exponential"] = "gaussian"
    """Profile of the functions."""
    choice: Literal["random", "worst-case", "adaptive"] = "adaptive"
    """Which functions are balanced."""
    functions: PositiveInt = 32
    """How many; no more than the candidates."""
    candidates: PositiveInt = 256
    """Anchors among which they are chosen."""
    balance: BalanceConfig = BalanceConfig(slack=0.002)
    """How closely."""


class Balancer:
    """Candidate functions on a set of observations, ready to be chosen from and balanced.

    Args:
        observations: Must have covariates.
        base: Weights to stay close to; None for none.
        config: Kernel, choice and number of functions.
        rng: Draws the candidates.
    """

    def __init__(
        self,
        observations: Observations,
        base: Float64[np.ndarray, " observed"] | None,
        config: KernelConfig,
        rng: np.random.Generator,
    ) -> None:
        covariates, pairs = observations.known(), observations.pairs
        self.config, self._rng = config, rng
        whole = population(*observations.shape, WHOLE, rng)
        kernel = Kernel(config.kernel, median_scale(covariates, whole, rng))
        anchors = whole.take(rng.integers(len(whole), size=config.candidates))
        start = np.ones(len(pairs)) if base is None else base
        self.sample = Sample.of(pairs, start, Functions.at(anchors, covariates, kernel), whole)

    def weights(
        self, errors: Float64[np.ndarray, " observed"] | None = None
    ) -> tuple[Float64[np.ndarray, " observed"], dict[str, Any]]:
        """Choose functions, balance them, and return weights of mean 1 with notes on the fit.

        Args:
            errors: A model's loss at each observed pair; needed by the adaptive choice only.

        Raises:
            DataError: The choice is adaptive and there are no errors.
        """
        columns = self._choose(errors)
        found = self.sample.balance(columns, self.config.balance)
        notes = {
            "functions": len(columns),
            "largest_imbalance_before": float(np.abs(self._gap(columns)).max()),
            "largest_imbalance_after": float(np.abs(found.imbalance).max()),
            "functions_out_of_slack": found.unmet,
            "iterations": found.iterations,
        }
        return found.weights, notes

    def explaining(self, errors: Float64[np.ndarray, " observed"]) -> Functions:
        """Pick the functions that a model's errors are made of."""
        columns = choice.adaptive(self.sample, self.config.functions, errors, self._rng)
        return self.sample.candidates.pick(columns)

    def _choose(self, errors: Float64[np.ndarray, " observed"] | None) -> np.ndarray:
        config = self.config
        if config.choice == "random":
            return choice.random(self.sample, config.functions, self._rng)
        if config.choice == "worst-case":
            return choice.worst_case(self.sample, config.functions, config.balance)
        if errors is None:
            raise DataError("the adaptive choice needs a model's errors at the observed pairs")
        return choice.adaptive(self.sample, config.functions, errors, self._rng)

    def _gap(self, columns: np.ndarray) -> np.ndarray:
        sample = self.sample
        mean = sample.candidates.pick(columns).mean(sample.observed, sample.base)
        return mean - sample.whole[columns]


def popularity(observations: Observations, rng: np.random.Generator) -> Estimate:
    """Estimate by how often a news was observed, relative to the most observed."""
    del rng
    theta = exposure.popularity(observations.counts())
    return Estimate(
        theta[observations.pairs.news],
        lambda pairs: theta[pairs.news],
        {"news_never_observed": int((theta == 0).sum())},
    )


def naive_bayes(observations: Observations, rng: np.random.Generator) -> Estimate:
    """Estimate by the rating itself.

    Raises:
        DataError: There are no ratings, or none shown by chance.
    """
    del rng
    if observations.values is None or observations.unbiased is None:
        raise DataError("naive Bayes needs ratings, some of them of news shown by chance")
    return Estimate(
        exposure.naive_bayes(observations.values, observations.unbiased, observations.rate),
        notes={"randomised_ratings_used": len(observations.unbiased)},
    )


def logistic(observations: Observations, rng: np.random.Generator) -> Estimate:
    """Estimate by logistic regression on the covariates."""
    model = exposure.logistic(_exposures(observations, rng), observations.known())
    return Estimate(model(observations.pairs), model)


def factorised(observations: Observations, rng: np.random.Generator) -> Estimate:
    """Estimate by matrix factorisation of what was observed."""
    model = exposure_model(observations, rng)
    return Estimate(model(observations.pairs), model)


def exposure_model(
    observations: Observations,
    rng: np.random.Generator,
    config: FactorisationConfig | None = None,
) -> exposure.Factorised:
    """Factorise what was observed; its factors can stand in for covariates that are not known."""
    settings = config or FactorisationConfig()
    return exposure.factorised(_exposures(observations, rng), observations.shape, settings, rng)


def factors(model: exposure.Factorised) -> Covariates:
    """Take the factors and biases of readers and news as their covariates, each of variance 1.

    A substitute for confounders that were not measured (Wang, Liang, Charlin and Blei, 2020,
    arXiv 1808.06581).
    """
    tables = model.readers[:, :-1], np.delete(model.news, -2, axis=1)  # less the columns of ones
    scaled = [(table / np.maximum(table.std(axis=0), 1e-9)).astype(np.float32) for table in tables]
    return Covariates(*scaled)


EXPOSURE = {
    "popularity": popularity,
    "naive-bayes": naive_bayes,
    "logistic": logistic,
    "factorised": factorised,
}
"""Exposure models by the name that a user gives."""


def as_propensities(
    weights: Float64[np.ndarray, " observed"], rate: float
) -> Float64[np.ndarray, " observed"]:
    """Read balancing weights of mean 1 as propensities: ``rate / w``, at most 1."""
    return np.minimum(rate / weights, 1.0)


def _exposures(observations: Observations, rng: np.random.Generator) -> Exposures:
    return Exposures.of(observations.pairs, *observations.shape, WHOLE, rng)
