from itertools import pairwise

import ir_measures
import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, ERR, RR, P, nDCG

from recsys.evaluation import ir

LABELS = st.integers(0, 4)
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0])  # few values: many ties


@st.composite
def collections(draw):
    """Ragged queries with ties, some without documents, some without a relevant one."""
    sizes = draw(st.lists(st.integers(0, 14), min_size=1, max_size=6))
    total = sum(sizes)
    scores = draw(st.lists(SCORES, min_size=total, max_size=total))
    labels = draw(st.lists(LABELS, min_size=total, max_size=total))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return np.array(scores, dtype=float), np.array(labels, dtype=float), offsets


def trec(collection):
    """The same queries as trec_eval wants them; document names sort as their rows."""
    scores, labels, offsets = collection
    queries = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    names = [f"d{row:05d}" for row in range(len(scores))]
    qrels, run = {}, {}
    for query, name, label, score in zip(queries, names, labels, scores, strict=True):
        qrels.setdefault(str(query), {})[name] = int(label)
        run.setdefault(str(query), {})[name] = float(score)
    return qrels, run


def ranked(collection):
    scores, labels, offsets = collection
    return ir.rank(scores, labels, offsets, tie_break=np.arange(len(scores)))


@given(collections())
def test_every_measure_is_that_of_trec_eval_on_ties_and_empty_queries(collection):
    qrels, run = trec(collection)
    ours = ranked(collection)
    measures = {
        "ndcg_cut_10": ir.ndcg(ours, 10, ir.linear),
        "map": ir.average_precision(ours),
        "map_cut_10": ir.average_precision(ours, 10),
        "recip_rank": ir.reciprocal_rank(ours),
        "P_5": ir.precision(ours, 5),
    }
    names = {"ndcg_cut.10", "map", "map_cut.10", "recip_rank", "P.5"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(run)
    for query in qrels:
        for name, values in measures.items():
            assert values[int(query)] == pytest.approx(theirs[query][name], abs=1e-9), name


def test_means_are_those_of_ir_measures():
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 40, 50))])
    scores, labels = rng.random(offsets[-1]).round(1), rng.integers(0, 3, offsets[-1]) * 1.0
    qrels, run = trec((scores, labels, offsets))
    ours = ranked((scores, labels, offsets))
    wanted = {
        nDCG @ 10: ir.ndcg(ours, 10, ir.linear),
        AP: ir.average_precision(ours),
        RR: ir.reciprocal_rank(ours),
        P @ 10: ir.precision(ours, 10),
    }
    theirs = ir_measures.calc_aggregate(list(wanted), qrels, run)
    for measure, values in wanted.items():
        assert values.mean() == pytest.approx(theirs[measure], abs=1e-9)


def test_err_is_that_of_ir_measures():
    if not ir_measures.gdeval.is_available():
        pytest.skip("ir_measures' ERR needs perl")
    rng = np.random.default_rng(1)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 40, 30))])
    scores = rng.permutation(offsets[-1]) * 1.0
    labels = rng.integers(0, 5, offsets[-1]) * 1.0
    qrels, run = trec((scores, labels, offsets))
    theirs = {row.query_id: row.value for row in ir_measures.iter_calc([ERR @ 10], qrels, run)}
    for query, value in enumerate(ir.err(ranked((scores, labels, offsets)), 10)):
        assert value == pytest.approx(theirs[str(query)], abs=1e-5)  # printed with five digits


def test_err_matches_its_formula():
    stop = (np.array([3.0, 1.0]) / 16).tolist()  # grades 2 and 1 of 4
    value = ir.err(ir.rank(np.array([2.0, 1.0]), np.array([2.0, 1.0]), np.array([0, 2])), 10)
    assert value[0] == pytest.approx(stop[0] + (1 - stop[0]) * stop[1] / 2)


def test_reported_err_is_a_probability_on_any_scale():
    labels = np.array([10.0, 9.0, 0.0])
    value = ir.METRICS["err@10"](ir.rank(-np.arange(3.0), labels, np.array([0, 3])))
    stop = (np.exp2(labels) - 1) / 2**10
    assert value[0] == pytest.approx(stop[0] + (1 - stop[0]) * stop[1] / 2)


def test_exponential_gain_matches_a_hand_computed_query():
    value = ir.ndcg(ir.rank(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0, 2])), 10)
    discount = 1 / np.log2(3)
    assert value[0] == pytest.approx((1 + 3 * discount) / (3 + 1 * discount))


@given(collections())
def test_flat_queries_score_as_each_query_alone(collection):
    scores, labels, offsets = collection
    names = np.arange(len(scores))
    together = ir.rank(scores, labels, offsets, names)
    for name, metric in ir.METRICS.items():
        values = metric(together)
        for query, (low, high) in enumerate(pairwise(offsets)):
            own = slice(low, high)
            alone = ir.rank(scores[own], labels[own], np.array([0, high - low]), names[own])
            assert values[query] == pytest.approx(metric(alone)[0], abs=1e-9), name


@pytest.mark.parametrize("score", [0.0, np.nan, -np.inf])
@pytest.mark.parametrize("place", [0, 4])
def test_a_constant_gains_nothing_from_the_order_of_the_file(place, score):
    labels = np.tile(np.eye(5)[place], 4_000)
    ranked = ir.rank(np.full(20_000, score), labels, np.arange(0, 20_001, 5))
    ranks = np.arange(1, 6)
    assert ir.ndcg(ranked, 5).mean() == pytest.approx((1 / np.log2(1 + ranks)).mean(), rel=0.02)
    assert ir.reciprocal_rank(ranked).mean() == pytest.approx((1 / ranks).mean(), rel=0.03)


def test_ties_stand_alike_for_every_ranker():
    labels, offsets = np.arange(8.0), np.array([0, 8])
    first, second = (ir.rank(np.full(8, score), labels, offsets) for score in (0.0, 3.0))
    assert first.labels.tolist() == second.labels.tolist()


def test_nan_ranks_last():
    value = ir.reciprocal_rank(
        ir.rank(np.array([np.nan, -5.0]), np.array([1.0, 0.0]), np.array([0, 2]))
    )
    assert value[0] == 1 / 2


def test_queries_without_relevance_can_be_told_apart():
    flat = ir.rank(np.zeros(3), np.array([0.0, 0.0, 1.0]), np.array([0, 2, 2, 3]))
    assert flat.has_relevant.tolist() == [False, False, True]


def test_metric_names_say_what_they_are():
    table = pd.Series(
        {
            name: metric(ir.rank(np.ones(1), np.ones(1), np.array([0, 1])))[0]
            for name, metric in ir.METRICS.items()
        }
    )
    assert table["ndcg@10"] == table["map"] == table["mrr@10"] == 1
    assert table["p@10"] == 1 / 10
