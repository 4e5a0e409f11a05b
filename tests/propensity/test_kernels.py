import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.propensity.kernels import (
    Covariates,
    Functions,
    Kernel,
    Pairs,
    median_scale,
    population,
)


@pytest.fixture
def covariates():
    rng = np.random.default_rng(0)
    return Covariates(
        rng.normal(size=(7, 3)).astype(np.float32), rng.normal(size=(5, 2)).astype(np.float32)
    )


def grid():
    return population(7, 5, 1000, np.random.default_rng(0))


def side_by_side(covariates, pairs):
    return np.hstack([covariates.readers[pairs.readers], covariates.news[pairs.news]])


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("gaussian", lambda d: np.exp(-0.3 * d**2)),
        ("exponential", lambda d: np.exp(-(0.3**0.5) * d)),
    ],
)
def test_a_function_is_the_kernel_between_concatenated_covariates(covariates, name, profile):
    pairs, anchors = grid(), grid().take(slice(3, 9))
    x, y = side_by_side(covariates, pairs), side_by_side(covariates, anchors)
    distance = np.linalg.norm(x[:, None] - y[None], axis=-1)
    found = Functions.at(anchors, covariates, Kernel(name, 0.3))(pairs)
    # a root of a rounded zero: the exponential kernel has a kink there
    assert np.allclose(found, profile(distance), atol=2e-3 if name == "exponential" else 1e-5)


def test_the_mean_is_the_mean_of_the_values_weighted_or_not(covariates):
    functions = Functions.at(grid().take(slice(0, 4)), covariates, Kernel("gaussian", 0.3))
    pairs, weights = grid(), np.random.default_rng(1).uniform(0.1, 2, 35)
    values = functions(pairs)
    assert np.allclose(functions.mean(pairs), values.mean(axis=0))
    assert np.allclose(functions.mean(pairs, weights), weights @ values / weights.sum())


def test_picking_functions_is_picking_columns(covariates):
    functions = Functions.at(grid(), covariates, Kernel("gaussian", 0.3))
    columns = np.array([4, 1])
    assert np.array_equal(functions.pick(columns)(grid()), functions(grid())[:, columns])


def test_the_median_scale_puts_half_of_the_couples_below_one_over_e(covariates):
    pairs, rng = grid(), np.random.default_rng(0)
    kernel = Kernel("gaussian", median_scale(covariates, pairs, rng))
    couples = Functions.at(pairs, covariates, kernel)(pairs)
    assert np.median(couples[~np.eye(35, dtype=bool)]) == pytest.approx(np.exp(-1), rel=0.1)


def test_a_small_population_is_listed_and_a_large_one_sampled():
    pairs = grid()
    assert len(set(zip(pairs.readers, pairs.news, strict=True))) == 35
    drawn = population(10**6, 10**6, 100, np.random.default_rng(0))
    assert len(drawn) == 100
    assert drawn.readers.max() < 10**6


def test_a_covariate_that_is_not_a_number_names_its_row():
    readers = np.zeros((4, 2), np.float32)
    readers[2, 1] = np.nan
    with pytest.raises(DataError, match=r"reader covariates: 1 of 4 rows.*row 2"):
        Covariates(readers, np.ones((1, 1), np.float32))


def test_equal_covariates_have_no_scale():
    same = Covariates(np.ones((3, 1), np.float32), np.ones((2, 1), np.float32))
    with pytest.raises(DataError, match="all rows are equal"):
        median_scale(same, population(3, 2, 10, np.random.default_rng(0)), np.random.default_rng(0))


@pytest.mark.parametrize(("name", "scale"), [("linear", 1.0), ("gaussian", 0.0)])
def test_an_impossible_kernel_is_refused(name, scale):
    with pytest.raises(ConfigError, match="expected"):
        Kernel(name, scale)


def test_pairs_are_cut_into_blocks_that_cover_them_once(monkeypatch):
    monkeypatch.setattr("recsys.propensity.kernels.BLOCK", 10)
    blocks = list(Pairs(np.arange(35), np.arange(35)).blocks())
    assert [len(block) for _, block in blocks] == [10, 10, 10, 5]
    assert np.array_equal(np.concatenate([b.news for _, b in blocks]), np.arange(35))
