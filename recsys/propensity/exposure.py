"""How likely a reader saw a news at all, from the data that tells: five models, one shape.

Popularity, logistic regression and matrix factorisation give a probability for *any* pair; naive
Bayes needs the rating, so it speaks of observed pairs only; logged propensities are taken as told.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from pydantic import NonNegativeFloat, PositiveInt
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression

from recsys.config import Config
from recsys.errors import DataError
from recsys.propensity.kernels import Covariates, Pairs


def popularity(
    counts: Int64[np.ndarray, " news"], power: float = 0.5
) -> Float64[np.ndarray, " news"]:
    r"""Propensity of each news: :math:`\theta_i = (n_i / \max n)^{\eta}`.

    Saito et al. (2020, section 5.1, doi:10.1145/3336191.3371783), relative to the most popular. A
    news that was never shown gets 0: it needs a floor, which clipping gives and counts.

    Raises:
        DataError: Nothing was ever shown.
    """
    if not counts.max(initial=0) > 0:
        raise DataError("popularity: expected news that were shown, found none")
    return (counts / counts.max()) ** power


def naive_bayes(
    values: Float32[np.ndarray, " observed"],
    unbiased: Float32[np.ndarray, " randomised"],
    rate: float,
) -> Float64[np.ndarray, " observed"]:
    r"""Propensity of an observed rating: :math:`P(o \mid y) = P(y \mid o) P(o) / P(y)`.

    Schnabel et al. (2016, eq. 9, arXiv 1602.05352). :math:`P(y)` must come from ratings of news
    shown by chance, which may then not be used for evaluation; one of each value is added to both
    counts (Laplace), and a quotient above 1 is cut to 1.

    Args:
        values: Observed (self-selected) ratings.
        unbiased: Ratings of randomly shown pairs, held out from any evaluation.
        rate: Share of all pairs that is observed, in (0, 1].

    Raises:
        DataError: There are no unbiased ratings.
    """
    if not len(unbiased):
        raise DataError(
            "naive Bayes: expected some randomised ratings to tell how often each value is given "
            "by chance, found none; choose another method"
        )
    levels, level = np.unique(values, return_inverse=True)
    seen = np.bincount(level) + 1.0
    by_chance = (unbiased[:, None] == levels).sum(axis=0) + 1.0
    ratio = (seen / seen.sum()) / (by_chance / by_chance.sum())
    return np.minimum(rate * ratio, 1.0)[level]


@dataclass(frozen=True)
class Exposures:
    """Pairs of the whole population, marked as observed or not: what exposure models learn from."""

    pairs: Pairs
    observed: Bool[np.ndarray, " pairs"]
    weights: Float64[np.ndarray, " pairs"]
    """How many pairs of the population each one stands for."""

    @classmethod
    def of(
        cls, observed: Pairs, num_readers: int, num_news: int, limit: int, rng: np.random.Generator
    ) -> "Exposures":
        """Take all observed pairs (once each) and at most ``limit`` of the others, by chance."""
        codes = np.unique(observed.readers * num_news + observed.news)
        cells = num_readers * num_news
        if cells <= limit:
            others = np.setdiff1d(np.arange(cells), codes, assume_unique=True)
        else:
            drawn = rng.integers(cells, size=limit)
            others = drawn[~np.isin(drawn, codes)]
        each = (cells - len(codes)) / len(others) if len(others) else 0.0
        mark = np.repeat([True, False], [len(codes), len(others)])
        return cls(
            Pairs(*np.divmod(np.concatenate([codes, others]), num_news)),
            mark,
            np.where(mark, 1.0, each),
        )


@dataclass(frozen=True)
class Logistic:
    r"""Exposure by covariates: :math:`\sigma(a + \beta_u x_u + \beta_i x_i)`, as two tables."""

    reader_part: Float64[np.ndarray, " readers"]
    news_part: Float64[np.ndarray, " news"]

    def __call__(self, pairs: Pairs) -> Float64[np.ndarray, " pairs"]:
        """Predict the exposure of pairs, in (0, 1)."""
        return expit(self.reader_part[pairs.readers] + self.news_part[pairs.news])


def logistic(exposures: Exposures, covariates: Covariates, *, strength: float = 1.0) -> Logistic:
    """Fit logistic regression of being observed on standardised reader and news covariates.

    Rosenbaum and Rubin (1983, doi:10.1093/biomet/70.1.41); for recommendation Schnabel et al.
    (2016, section 4.2).

    Args:
        exposures: What was observed and what was not.
        covariates: Of every reader and news.
        strength: Of the L2 penalty, 1 / C of scikit-learn.

    Raises:
        DataError: Every pair was observed.
    """
    if exposures.observed.all():
        raise DataError(
            "logistic: expected pairs that were not observed, to tell the observed ones from; "
            "found none"
        )
    readers, news = _standardise(covariates.readers), _standardise(covariates.news)
    model = LogisticRegression(C=1 / strength, max_iter=1000)
    rows = np.hstack([readers[exposures.pairs.readers], news[exposures.pairs.news]])
    model.fit(rows, exposures.observed, exposures.weights)
    by_reader, by_news = np.split(model.coef_[0], [readers.shape[1]])
    return Logistic(readers @ by_reader + model.intercept_[0], news @ by_news)


class FactorisationConfig(Config):
    """Size and penalty of matrix-factorised exposure."""

    dim: PositiveInt = 4
    """Length of a factor."""
    penalty: NonNegativeFloat = 4.0
    """L2 on factors and biases, against the summed log-likelihood."""
    max_iterations: PositiveInt = 200
    """Steps of L-BFGS at most."""


@dataclass(frozen=True)
class Factorised:
    r"""Exposure by taste: :math:`\sigma(a + b_u + b_i + U_u \cdot V_i)`."""

    readers: Float64[np.ndarray, "readers dim_plus_2"]
    """Factors, bias, one."""
    news: Float64[np.ndarray, "news dim_plus_2"]
    """Factors, one, bias and intercept."""

    def __call__(self, pairs: Pairs) -> Float64[np.ndarray, " pairs"]:
        """Predict the exposure of pairs, in (0, 1)."""
        logits = np.empty(len(pairs))
        for rows, block in pairs.blocks():
            logits[rows] = np.einsum("pd,pd->p", self.readers[block.readers], self.news[block.news])
        return expit(logits)


def factorised(
    exposures: Exposures,
    shape: tuple[int, int],
    config: FactorisationConfig,
    rng: np.random.Generator,
) -> Factorised:
    """Fit logistic matrix factorisation of the observation matrix, all at once by L-BFGS.

    Liang et al. (2016, arXiv 1510.07025) for exposure by taste, Johnson (2014) for the likelihood.

    Args:
        exposures: What was observed and what was not.
        shape: Numbers of readers and news.
        config: Size, penalty and steps.
        rng: Draws the start.
    """
    num_readers, num_news = shape
    width, cut = config.dim + 1, num_readers * (config.dim + 1)
    pairs, weights = exposures.pairs, exposures.weights
    target = exposures.observed.astype(float)
    rate = float(np.average(target, weights=weights))
    intercept = np.log(rate / max(1 - rate, 1e-12))

    def sides(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return flat[:cut].reshape(num_readers, width), flat[cut:].reshape(num_news, width)

    def loss(flat: Float64[np.ndarray, " all"]) -> tuple[float, Float64[np.ndarray, " all"]]:
        readers, news = sides(flat)
        dot = np.einsum("pd,pd->p", readers[pairs.readers, 1:], news[pairs.news, 1:])
        logits = intercept + dot + readers[pairs.readers, 0] + news[pairs.news, 0]
        value = -(weights * (log_expit(-logits) + target * logits)).sum()
        slope = weights * (expit(logits) - target)
        residual = sparse.csr_matrix((slope, (pairs.readers, pairs.news)), shape=shape)
        by_reader = np.hstack([residual.sum(axis=1).A1[:, None], residual @ news[:, 1:]])
        by_news = np.hstack([residual.sum(axis=0).A1[:, None], residual.T @ readers[:, 1:]])
        gradient = np.concatenate([by_reader.ravel(), by_news.ravel()]) + config.penalty * flat
        return value + config.penalty / 2 * flat @ flat, gradient

    start = rng.normal(scale=0.1, size=cut + num_news * width)
    options = {"maxiter": config.max_iterations}
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    readers, news = sides(solution.x)
    one = np.ones
    return Factorised(
        np.hstack([readers[:, 1:], readers[:, :1], one((num_readers, 1))]),
        np.hstack([news[:, 1:], one((num_news, 1)), news[:, :1] + intercept]),
    )


def _standardise(table: Float32[np.ndarray, "rows dim"]) -> Float64[np.ndarray, "rows dim"]:
    spread = table.std(axis=0, dtype=np.float64)
    return (table - table.mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)
