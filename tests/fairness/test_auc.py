import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.fairness.auc import PairwiseAuc, resamples


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_agrees_with_the_textbook_within_one_fold(rng):
    scores, positive = rng.integers(5, size=60).astype(float), rng.random(60) < 0.3
    ours = PairwiseAuc(scores, positive, np.zeros(60, dtype=int))(np.ones((1, 60)))
    assert ours == pytest.approx(roc_auc_score(positive, scores))


def test_pairs_of_different_folds_do_not_count():
    scores = np.array([0.0, 1.0, 10.0, 11.0])  # right within both folds, wrong across
    positive = np.array([False, True, False, True])
    folds = np.array([1, 1, 0, 0])
    assert PairwiseAuc(scores, positive, folds)(np.ones((1, 4))) == pytest.approx(1.0)
    assert PairwiseAuc(scores, positive, np.zeros(4, dtype=int))(np.ones((1, 4))) < 1.0


def test_a_weight_of_two_is_a_reader_twice(rng):
    scores, positive = rng.random(30), rng.random(30) < 0.5
    weights = rng.integers(3, size=30)
    again = np.repeat(np.arange(30), weights)
    expected = roc_auc_score(positive[again], scores[again])
    measure = PairwiseAuc(scores, positive, np.zeros(30, dtype=int))
    assert measure(weights[None].astype(float)) == pytest.approx(expected)


def test_no_pair_is_nan():
    measure = PairwiseAuc(np.arange(3.0), np.ones(3, dtype=bool), np.zeros(3, dtype=int))
    assert np.isnan(measure(np.ones((1, 3)))).all()


def test_every_resample_keeps_each_group_at_its_size(rng):
    strata = np.array([0] * 50 + [1] * 2)
    weights = np.concatenate(list(resamples(strata, rng=rng, num_samples=40)))
    assert weights.shape == (40, 52)
    np.testing.assert_array_equal(weights[:, strata == 1].sum(axis=1), 2)
    np.testing.assert_array_equal(weights[:, strata == 0].sum(axis=1), 50)


def test_blocks_are_bounded(rng, monkeypatch):
    monkeypatch.setattr("recsys.fairness.auc.WEIGHTS_AT_ONCE", 30)
    sizes = [len(block) for block in resamples(np.zeros(10, dtype=int), rng=rng, num_samples=7)]
    assert sizes == [3, 3, 1]
