from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.evaluation.ranking import auc, dcg, mrr, ndcg, ndcg_at_rank, rank_of, recall

SCORES = np.array([[3.0, 2.0, 1.0, 0.0]])
LABELS = np.array([[0.0, 1.0, 0.0, 2.0]])  # relevant at ranks 2 and 4

METRICS = [ndcg, recall, mrr, auc]


def test_dcg_matches_a_slate_worked_by_hand():
    assert dcg(SCORES, LABELS) == pytest.approx(1 / np.log2(3) + 3 / np.log2(5))


def test_ndcg_divides_by_the_best_order():
    best = 3 / np.log2(2) + 1 / np.log2(3)
    assert ndcg(SCORES, LABELS) == pytest.approx((1 / np.log2(3) + 3 / np.log2(5)) / best)


def test_both_gain_and_ideal_stop_at_k():
    assert ndcg(SCORES, LABELS, k=2) == pytest.approx((1 / np.log2(3)) / (3 + 1 / np.log2(3)))


def test_recall_counts_relevant_news_among_the_first_k():
    assert recall(SCORES, LABELS, k=2) == pytest.approx(1 / 2)


def test_mrr_averages_over_the_relevant_news():
    assert mrr(SCORES, LABELS) == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_auc_counts_pairs_in_the_right_order():
    assert auc(SCORES, LABELS) == pytest.approx(1 / 4)  # only rank 2 over rank 3


@pytest.mark.parametrize("metric", METRICS)
def test_best_order_beats_every_other(metric):
    labels = np.array([[1.0, 1.0, 0.0, 0.0]])
    values = [metric(np.array([order], dtype=float), labels)[0] for order in permutations(range(4))]
    assert max(values) == metric(SCORES, labels)[0]


@pytest.mark.parametrize("metric", METRICS)
def test_ties_give_the_mean_over_their_orders(metric):
    scores = np.array([[2.0, 2.0, 2.0, 1.0, 0.0]])
    labels = np.array([[0.0, 1.0, 0.0, 0.0, 1.0]])
    orders = [[*order, -1.0, -2.0] for order in permutations([2.0, 1.0, 0.0])]
    mean = np.mean([metric(np.array([order]), labels) for order in orders])
    assert metric(scores, labels) == pytest.approx(mean)


@pytest.mark.parametrize("metric", METRICS)
def test_padding_changes_nothing(metric):
    mask = np.array([[True] * 4 + [False] * 2])
    padded = np.concatenate([SCORES, [[9.0, 9.0]]], axis=1), np.pad(LABELS, ((0, 0), (0, 2)))
    padded[1][0, 4] = 5.0
    assert metric(*padded, mask) == pytest.approx(metric(SCORES, LABELS))


@pytest.mark.parametrize("metric", METRICS)
def test_slate_without_relevance_is_nan(metric):
    assert np.isnan(metric(SCORES, np.zeros((1, 4)))).all()


@pytest.mark.parametrize("metric", METRICS)
def test_news_without_a_score_stands_last(metric):
    broken = np.array([[3.0, np.nan, 1.0, 0.0]])
    assert metric(broken, LABELS) == pytest.approx(
        metric(np.array([[3.0, -9.0, 1.0, 0.0]]), LABELS)
    )


@given(
    arrays(float, (3, 7), elements=st.integers(-2, 2)),
    arrays(bool, (3, 7)),
    st.permutations(range(7)),
)
def test_order_of_candidates_does_not_matter(scores, labels, order):
    for metric in METRICS:
        values = metric(scores, labels)
        np.testing.assert_allclose(metric(scores[:, order], labels[:, order]), values)


@given(arrays(float, (4, 6), elements=st.integers(-2, 2)), st.integers(1, 8))
def test_one_relevant_news_needs_only_its_rank(scores, k):
    relevant = np.array([0, 1, 2, 5])
    rank, ties = rank_of(scores, relevant)
    expected = ndcg(scores, np.eye(6)[relevant], k=k)
    np.testing.assert_allclose(ndcg_at_rank(rank, k, ties=ties), expected)


def test_ndcg_at_rank_is_the_discount_of_that_rank():
    np.testing.assert_allclose(ndcg_at_rank(np.array([1, 3, 4]), k=3), [1, 1 / np.log2(4), 0])


def test_masked_news_take_no_rank():
    mask = np.array([[False, True, True, True]])
    rank, ties = rank_of(SCORES, np.array([1]), mask)
    assert (rank[0], ties[0]) == (1, 1)


def test_relevant_news_without_a_score_ranks_last():
    rank, ties = rank_of(np.array([[np.nan, 1.0, 0.0]]), np.array([0]))
    assert (rank[0], ties[0]) == (3, 1)
