import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.training.ratings import judge

RNG = np.random.default_rng(0)
READERS = np.repeat(np.arange(30), 10)
LABELS = (RNG.random(300) < 0.4).astype(float)
SCORES = RNG.normal(size=(2, 300)) + LABELS


def test_the_auc_is_the_mean_over_seeds_ties_half():
    rough = np.round(SCORES)
    found = judge.auc_samples(rough, LABELS, READERS, np.random.default_rng(0), 5)
    assert found[0] == pytest.approx(np.mean([roc_auc_score(LABELS, row) for row in rough]))


def test_a_resample_is_the_auc_of_readers_repeated():
    found = judge.auc_samples(SCORES[:1], LABELS, READERS, np.random.default_rng(3), 1)
    times = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=1)[0][READERS]
    expected = roc_auc_score(LABELS, SCORES[0], sample_weight=times)
    assert found[1] == pytest.approx(expected)


def test_lists_are_measured_reader_by_reader_over_seeds():
    readers, labels = np.array([7, 9, 7, 9, 9]), np.array([1.0, 0, 0, 1, 1])
    scores = np.array([[1.0, 3, 2, 2, 1], [2.0, 1, 1, 3, 2]])  # second and last, then perfect
    found = judge.per_reader(scores, labels, readers)
    second, third = 1 / np.log2([3, 4])
    expected = [(second + 1) / 2, ((second + third) / (1 + second) + 1) / 2]
    np.testing.assert_allclose(found["ndcg@5"], expected)
    np.testing.assert_allclose(found["recall@5"], 1)


def test_recall_is_of_all_that_was_liked():
    labels = np.array([1.0, 0, 0, 0, 0, 1])
    found = judge.per_reader(np.arange(6.0)[None], labels, np.zeros(6, dtype=int))
    assert found["recall@5"] == pytest.approx([0.5])


def test_an_interval_holds_95_of_100_resamples():
    found = judge.interval(np.concatenate([[7.0], np.arange(1001.0)]))
    assert (found.mean, found.low, found.high) == (7, 25, 975)


def test_a_method_does_not_differ_from_itself():
    _, raw = judge.measures(SCORES, LABELS, READERS, 0)
    for value in judge.difference(raw, raw, 0).values():
        assert (value.mean, value.low, value.high) == (0, 0, 0)


def test_a_better_method_is_told_from_a_worse():
    _, worse = judge.measures(RNG.normal(size=(2, 300)), LABELS, READERS, 0)
    _, better = judge.measures(SCORES + LABELS, LABELS, READERS, 0)
    assert judge.difference(better, worse, 0)["auc"].low > 0


def test_readers_who_liked_nothing_are_left_out_of_lists():
    labels = np.array([0.0, 0, 1, 0])
    found = judge.per_reader(np.array([[1.0, 2, 3, 4]]), labels, np.array([7, 7, 9, 9]))
    assert np.isnan(found["ndcg@5"][0])
    assert found["ndcg@5"][1] == pytest.approx(1 / np.log2(3))
    assert found["recall@5"][1] == 1
