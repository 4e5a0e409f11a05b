import numpy as np
import pytest

from recsys.propensity.diagnostics import (
    RandomFeatures,
    diagnose,
    effective_sample_size,
    mean_differences,
    mmd,
    reliability,
)
from recsys.propensity.kernels import Covariates, Functions, Kernel, Pairs, population


def test_equal_weights_lose_nothing_and_one_heavy_weight_loses_all():
    assert effective_sample_size(np.full(10, 3.0)) == pytest.approx(10)
    assert effective_sample_size(np.array([1e300, 1.0, 1.0])) == pytest.approx(1)


def test_good_weights_give_no_warning():
    assert diagnose(np.ones(100), np.zeros(100, bool)).warnings == []


def test_poor_overlap_heavy_weights_and_clipping_are_each_warned_of():
    weights = np.ones(1000)
    weights[0] = 1e5
    diagnosis = diagnose(weights, np.arange(1000) < 50)
    overlap, heavy, clipping = diagnosis.warnings
    assert "poor overlap" in overlap
    assert "weighs as much as" in heavy
    assert "5.0%" in clipping
    assert diagnosis.share_clipped == 0.05


@pytest.mark.parametrize(("heavy", "warned"), [(11, False), (9, True)])
def test_overlap_is_poor_below_a_tenth_of_the_observations(heavy, warned):
    weights = np.where(np.arange(100) < heavy, 1.0, 1e-9)
    said = diagnose(weights, np.zeros(100, bool)).warnings
    assert any("poor overlap" in text for text in said) == warned


@pytest.mark.parametrize(("heaviest", "warned"), [(49.0, False), (51.0, True)])
def test_a_weight_is_heavy_beyond_a_hundredth_of_all(heaviest, warned):
    weights = np.full(5000, (5000 - heaviest) / 4999)
    weights[0] = heaviest
    diagnosis = diagnose(weights, np.zeros(5000, bool))
    assert diagnosis.largest_weight == pytest.approx(heaviest)
    assert bool(diagnosis.warnings) == warned


def test_hardly_any_clipping_is_not_warned_of():
    assert diagnose(np.ones(200), np.arange(200) < 2).warnings == []


def test_mean_differences_are_in_standard_deviations_of_the_whole():
    table = np.array([[0.0, 7], [2, 7]], np.float32)
    found = mean_differences(table, np.array([1, 1, 1, 0]))
    assert found == pytest.approx([(1.5 - 1) / 1, 0])


def test_weights_that_restore_the_shares_leave_no_difference():
    table = np.array([[0.0], [2.0]], np.float32)
    found = mean_differences(table, np.array([1, 1, 1, 0]), np.array([1.0, 1, 1, 3]))
    assert found == pytest.approx([0])


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    covariates = Covariates(
        rng.normal(size=(20, 2)).astype(np.float32), rng.normal(size=(30, 3)).astype(np.float32)
    )
    return covariates, population(20, 30, 1000, rng)


@pytest.mark.parametrize("name", ["gaussian", "exponential"])
def test_the_mmd_is_the_kernels(world, name):
    covariates, whole = world
    kernel, half = Kernel(name, 0.2), whole.take(slice(0, 200))
    features = RandomFeatures(covariates, kernel, 8192, np.random.default_rng(1))
    gram = Functions.at(whole, covariates, kernel)(whole).astype(float)
    exact = gram[:200, :200].mean() - 2 * gram[:200].mean() + gram.mean()
    found = mmd(features.mean(half), features.mean(whole))
    assert found == pytest.approx(np.sqrt(exact), rel=0.05)


def test_a_sample_counted_twice_is_embedded_as_once(world):
    covariates, whole = world
    features = RandomFeatures(covariates, Kernel("gaussian", 0.2), 64, np.random.default_rng(1))
    few, twice = whole.take(slice(0, 3)), whole.take(np.array([0, 1, 2] * 2))
    np.testing.assert_allclose(features.mean(twice), features.mean(few), atol=1e-6)


def test_the_mmd_of_a_sample_weighted_to_the_whole_is_zero(world):
    covariates, whole = world
    features = RandomFeatures(covariates, Kernel("gaussian", 0.2), 64, np.random.default_rng(1))
    doubled = Pairs(np.append(whole.readers, 3), np.append(whole.news, 4))
    weights = np.ones(601)
    weights[[3 * 30 + 4, 600]] = 0.5
    assert mmd(features.mean(doubled, weights), features.mean(whole)) == pytest.approx(0, abs=1e-6)


def test_a_calibrated_prediction_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    predicted = rng.random(100_000)
    for line in reliability(predicted, rng.random(100_000) < predicted):
        assert line["observed"] == pytest.approx(line["predicted"], abs=0.02)
