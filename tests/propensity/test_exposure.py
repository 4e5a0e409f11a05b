import numpy as np
import pytest
from scipy.stats import spearmanr

from recsys.errors import DataError
from recsys.propensity.exposure import (
    Exposures,
    FactorisationConfig,
    factorised,
    logistic,
    naive_bayes,
    popularity,
)
from recsys.propensity.kernels import Covariates, Pairs, population


def test_popularity_is_relative_to_the_most_shown_and_its_power():
    assert popularity(np.array([1, 4, 16])) == pytest.approx([0.25, 0.5, 1])
    assert popularity(np.array([1, 4, 16]), power=1.0) == pytest.approx([1 / 16, 1 / 4, 1])


def test_a_news_never_shown_gets_zero_and_waits_for_the_floor():
    assert popularity(np.array([0, 4]))[0] == 0


def test_popularity_of_nothing_is_refused():
    with pytest.raises(DataError, match="found none"):
        popularity(np.zeros(3, int))


def test_naive_bayes_is_bayes():
    # 30 of 40 observed ratings are a 5, by chance only half would be; Laplace adds one to each
    values = np.repeat([5.0, 1.0], [30, 10]).astype(np.float32)
    unbiased = np.repeat([5.0, 1.0], [10, 10]).astype(np.float32)
    found = naive_bayes(values, unbiased, 0.1)
    assert found[0] == pytest.approx(0.1 * (31 / 42) / (11 / 22))
    assert found[-1] == pytest.approx(0.1 * (11 / 42) / (11 / 22))


def test_naive_bayes_never_exceeds_one_and_survives_a_value_not_given_by_chance():
    found = naive_bayes(np.array([5, 5, 5, 1], np.float32), np.full(9, 1, np.float32), 0.9)
    assert found.max() == 1
    assert (found > 0).all()


def test_naive_bayes_without_randomised_ratings_is_refused():
    with pytest.raises(DataError, match="randomised"):
        naive_bayes(np.ones(3, np.float32), np.empty(0, np.float32), 0.1)


@pytest.fixture(scope="module")
def truth():
    """Exposure that is logistic in one reader and one news covariate."""
    rng = np.random.default_rng(0)
    covariates = Covariates(
        rng.normal(size=(200, 2)).astype(np.float32), rng.normal(size=(300, 2)).astype(np.float32)
    )
    whole = population(200, 300, 100_000, rng)
    logits = -2 + covariates.readers[whole.readers, 0] - 2 * covariates.news[whole.news, 1]
    return covariates, whole, 1 / (1 + np.exp(-logits)), rng


def test_logistic_regression_recovers_exposure_by_covariates(truth):
    covariates, whole, chance, rng = truth
    seen = whole.take(rng.random(len(whole)) < chance)
    model = logistic(Exposures.of(seen, 200, 300, 100_000, rng), covariates)
    assert np.abs(model(whole) - chance).mean() < 0.01


def test_sampled_negatives_stand_for_the_rest(truth):
    covariates, whole, chance, rng = truth
    seen = whole.take(rng.random(len(whole)) < chance)
    exposures = Exposures.of(seen, 200, 300, 20_000, rng)
    assert exposures.weights.sum() == pytest.approx(200 * 300)
    assert np.abs(logistic(exposures, covariates)(whole) - chance).mean() < 0.02


def test_a_pair_observed_twice_counts_once():
    seen = Pairs(np.array([0, 0, 1]), np.array([1, 1, 0]))
    exposures = Exposures.of(seen, 2, 2, 100, np.random.default_rng(0))
    assert exposures.observed.sum() == 2
    assert len(exposures.pairs) == 4


def test_when_all_is_observed_nothing_is_left_over():
    whole = population(3, 4, 100, np.random.default_rng(0))
    exposures = Exposures.of(whole, 3, 4, 100, np.random.default_rng(0))
    assert exposures.observed.all()


def test_logistic_regression_needs_pairs_that_were_not_observed():
    whole = population(3, 2, 100, np.random.default_rng(0))
    exposures = Exposures.of(whole, 3, 2, 100, np.random.default_rng(0))
    with pytest.raises(DataError, match="not observed"):
        logistic(exposures, Covariates(np.eye(3, dtype=np.float32), np.eye(2, dtype=np.float32)))


def test_factorisation_recovers_exposure_by_taste_where_popularity_does_not():
    rng = np.random.default_rng(0)
    readers, news = rng.normal(size=(150, 2)), rng.normal(size=(200, 2))
    chance = 1 / (1 + np.exp(1.5 - 2 * readers @ news.T)).ravel()
    whole = population(150, 200, 100_000, rng)
    seen = whole.take(rng.random(len(whole)) < chance)
    exposures = Exposures.of(seen, 150, 200, 100_000, rng)
    model = factorised(exposures, (150, 200), FactorisationConfig(dim=2, penalty=1.0), rng)
    popular = popularity(np.bincount(seen.news, minlength=200))[whole.news]
    assert spearmanr(model(whole), chance).statistic > 0.95
    assert spearmanr(popular, chance).statistic < 0.5


def test_a_weight_of_three_is_a_pair_three_times_for_the_factorisation():
    rng = np.random.default_rng(0)
    whole = population(12, 15, 1000, rng)
    seen = rng.random(len(whole)) < 0.3
    thrice = np.repeat(np.arange(len(whole)), np.where(seen, 1, 3))
    weighted, repeated = (
        factorised(exposures, (12, 15), FactorisationConfig(dim=2), np.random.default_rng(1))
        for exposures in (
            Exposures(whole, seen, np.where(seen, 1.0, 3.0)),
            Exposures(whole.take(thrice), seen[thrice], np.ones(len(thrice))),
        )
    )
    np.testing.assert_allclose(weighted(whole), repeated(whole), atol=1e-3)


def test_factorised_exposure_is_calibrated_in_the_mean(truth):
    _, whole, chance, rng = truth
    seen = whole.take(rng.random(len(whole)) < chance)
    config = FactorisationConfig(dim=2, max_iterations=40)
    model = factorised(Exposures.of(seen, 200, 300, 100_000, rng), (200, 300), config, rng)
    assert model(whole).mean() == pytest.approx(chance.mean(), abs=0.01)
