import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.training.sentinel import expected_auc, leakage

READERS = 1500


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_vectors_that_tell_nothing_are_at_one_half(rng):
    beliefs = rng.beta(2, 3, (READERS, 2))
    found = leakage(rng.normal(size=(READERS, 6)), beliefs, [1, 1], seed=0)
    assert found == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_linear_and_a_non_linear_trace_are_both_found(rng):
    vectors = rng.normal(size=(READERS, 4))
    linear = 1 / (1 + np.exp(-3 * vectors[:, :1]))
    product = 1 / (1 + np.exp(-6 * vectors[:, :1] * vectors[:, 1:2]))
    assert leakage(vectors, linear, [1], seed=0) > [0.8]
    assert leakage(vectors, product, [1], seed=0) > [0.75]


def test_a_trace_in_a_direction_of_next_to_no_variance_is_found(rng):
    vectors = rng.normal(size=(READERS, 4))
    belief = 1 / (1 + np.exp(-3 * vectors[:, :1]))
    squeezed = vectors * [1e-3, 1, 1, 1] @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert leakage(squeezed, belief, [1], seed=0) > [0.8]


def test_each_attribute_counts_by_the_mean_over_its_groups(rng):
    vectors = rng.normal(size=(READERS, 4))
    told, other = (1 / (1 + np.exp(-3 * vectors[:, i : i + 1])) for i in (0, 1))
    nothing = np.full((READERS, 1), 0.5)
    columns = np.hstack([told, other, nothing])
    each = leakage(vectors, columns, [1, 1, 1], seed=0)
    first, second = leakage(vectors, columns, [1, 2], seed=0)
    assert first == pytest.approx(each[0])
    assert second == pytest.approx((each[1] + 0.5) / 2, abs=0.01)


def test_the_expected_auc_is_the_mean_over_labels_drawn_from_beliefs(rng):
    scores, beliefs = rng.normal(size=400), rng.random(400)
    drawn = [roc_auc_score(rng.random(400) < beliefs, scores) for _ in range(400)]
    assert expected_auc(scores, beliefs) == pytest.approx(np.mean(drawn), abs=0.005)


def test_it_works_on_a_handful_of_readers(rng):
    (found,) = leakage(rng.normal(size=(6, 3)), rng.random((6, 1)), [1], seed=0)
    assert 0 <= found <= 1
