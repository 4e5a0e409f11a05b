import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.propensity.balancing import BalanceConfig
from recsys.propensity.choice import Sample, adaptive, explain, random, worst_case
from recsys.propensity.kernels import Covariates, Functions, Kernel, Pairs, population

CONFIG = BalanceConfig(slack=0.001)


@pytest.fixture(scope="module")
def sample():
    """Readers see news near themselves on a line; the whole is everybody with everything."""
    rng = np.random.default_rng(0)
    readers, news = (np.sort(rng.uniform(-1, 1, size)) for size in (40, 60))
    whole = population(40, 60, 10_000, rng)
    chance = np.exp(-3 * np.abs(readers[whole.readers] - news[whole.news]))
    seen = rng.random(len(whole)) < 0.8 * chance
    covariates = Covariates(readers[:, None].astype(np.float32), news[:, None].astype(np.float32))
    anchors = Functions.at(
        whole.take(rng.integers(len(whole), size=100)), covariates, Kernel("gaussian", 2)
    )
    return Sample.of(whole.take(seen), np.ones(seen.sum()), anchors, whole)


def worst_gap(sample, columns):
    weights = sample.balance(columns, CONFIG).weights
    return np.abs(sample.candidates.mean(sample.observed, weights) - sample.whole).max()


def test_the_worst_case_leaves_less_imbalance_than_chance(sample):
    gaps = [worst_gap(sample, random(sample, 8, np.random.default_rng(seed))) for seed in range(5)]
    assert worst_gap(sample, worst_case(sample, 8, CONFIG)) < min(gaps)


def test_the_worst_case_starts_with_the_largest_gap(sample):
    gap = np.abs(sample.candidates.mean(sample.observed) - sample.whole)
    assert worst_case(sample, 1, CONFIG, rounds=1)[0] == gap.argmax()


def test_the_adaptive_choice_finds_the_function_an_error_is_made_of(sample):
    errors = 3.0 * sample.candidates(sample.observed)[:, 17].astype(float)
    chosen = adaptive(sample, 5, errors, np.random.default_rng(0), ridge=1e-4)
    near = sample.candidates.anchors
    distance = np.abs(near.readers[chosen] - near.readers[17]) + np.abs(
        near.news[chosen] - near.news[17]
    )
    assert distance.min() <= 3


def test_errors_are_explained_by_weighted_ridge_regression(sample):
    rng = np.random.default_rng(1)
    base, errors = rng.uniform(1, 3, len(sample.base)), rng.normal(size=len(sample.base))
    values, share = sample.candidates(sample.observed).astype(float), base / base.sum()
    centred = values - share @ values
    gram = (share[:, None] * centred).T @ centred
    penalty = 0.5 * np.diag(gram).mean() * np.eye(len(gram))
    expected = np.linalg.solve(gram + penalty, centred.T @ (share * (errors - share @ errors)))
    found = explain(sample.candidates, sample.observed, base, errors, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_adaptive_balancing_removes_bias_from_the_error_it_was_chosen_for(sample):
    whole = population(40, 60, 10_000, np.random.default_rng(0))
    truth = sample.candidates(whole)[:, [3, 30]].sum(axis=1).mean()
    errors = sample.candidates(sample.observed)[:, [3, 30]].sum(axis=1).astype(float)
    chosen = adaptive(sample, 10, errors, np.random.default_rng(0), ridge=1e-2)
    weights = sample.balance(chosen, CONFIG).weights
    assert abs(weights @ errors / len(errors) - truth) < 0.1 * abs(errors.mean() - truth)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_functions_than_rounds_are_chosen_one_by_one(sample, count):
    chosen = worst_case(sample, count, CONFIG)
    assert len(set(chosen)) == count
    assert chosen.tolist() == worst_case(sample, count, CONFIG, rounds=count).tolist()


def test_chosen_functions_are_distinct(sample):
    for chosen in (random(sample, 20, np.random.default_rng(0)), worst_case(sample, 20, CONFIG)):
        assert len(set(chosen)) == 20


def test_more_functions_than_candidates_are_refused(sample):
    with pytest.raises(ConfigError, match="1 to 100"):
        random(sample, 101, np.random.default_rng(0))


def test_many_observations_are_sampled_to_explain_errors(sample, monkeypatch):
    errors = sample.candidates(sample.observed)[:, 17].astype(float)
    monkeypatch.setattr("recsys.propensity.choice.FIT_LIMIT", 100)
    chosen = adaptive(sample, 3, errors, np.random.default_rng(0))
    assert len(chosen) == 3


def test_pairs_may_repeat_among_the_observed(sample):
    twice = Pairs(np.tile(sample.observed.readers, 2), np.tile(sample.observed.news, 2))
    doubled = Sample(twice, np.ones(len(twice)), sample.candidates, sample.whole)
    columns = np.arange(5)
    once = sample.balance(columns, CONFIG).weights
    assert doubled.balance(columns, CONFIG).weights[: len(once)] == pytest.approx(once, rel=1e-2)
