import numpy as np
import pytest

from recsys.simulation.ltr import GRADE_SHARES, RankingWorld, generate


@pytest.fixture(scope="module")
def truth():
    return generate(RankingWorld(num_queries=2000))


def test_the_same_seed_gives_the_same_collection(truth):
    again = generate(RankingWorld(num_queries=2000))
    assert (again.features == truth.features).all() and (again.labels == truth.labels).all()
    other = generate(RankingWorld(num_queries=2000, seed=1))
    assert not np.array_equal(other.features[:100], truth.features[:100])


def test_sizes_are_as_asked_for(truth):
    sizes = np.diff(truth.offsets)
    assert sizes.min() >= 5 and sizes.mean() == pytest.approx(20, rel=0.05)


def test_grades_have_their_shares(truth):
    share = np.bincount(truth.labels.astype(int)) / len(truth.labels)
    assert share == pytest.approx(GRADE_SHARES, abs=0.001)


def test_relevance_is_not_linear_in_the_features(truth):
    features = np.column_stack([truth.features, np.ones(len(truth.labels))])
    guess = features @ np.linalg.lstsq(features, truth.labels, rcond=None)[0]
    explained = np.corrcoef(guess, truth.labels)[0, 1] ** 2
    assert 0.15 < explained < 0.5


def test_frequency_buckets_have_equal_numbers_of_queries(truth):
    assert np.bincount(truth.buckets).tolist() == [200] * 10
