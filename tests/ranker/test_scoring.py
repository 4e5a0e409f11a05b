import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ranker.pool import Pool
from recsys.ranker.scoring import Scorer, fastest

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16]


def brute_force(vectors, query, rows, k):
    """Sort all scores in float64, the lower row first among equals."""
    scores = (vectors[rows].astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return rows[order], scores[order]


def agree(top, expected):
    np.testing.assert_array_equal(top[0], expected[0])
    np.testing.assert_array_equal(top[1], expected[1])


def random_world(seed, *, num_news=3000, batch=5, dim=16):
    rng = np.random.default_rng(seed)

    def draw(rows):
        return rng.standard_normal((rows, dim)).astype(np.float16)

    return rng, draw(num_news), draw(batch)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 10, 500, 5000])
def test_the_whole_catalogue_is_ordered_as_by_sorting_exact_scores(dtype, k):
    _, vectors, queries = random_world(0)
    pools = [Pool(3000, 3000)] * 5
    tops = Scorer(vectors, device=CPU, dtype=dtype).top(queries, pools, [k] * 5)
    for top, query in zip(tops, queries, strict=True):
        agree(top, brute_force(vectors, query, np.arange(3000), k))


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_candidates_are_ordered_as_by_sorting_exact_scores(dtype):
    rng, vectors, queries = random_world(1)
    rows = [np.sort(rng.permutation(3000)[:size]) for size in (0, 1, 7, 150, 150)]
    pools = [Pool(3000, len(some), rows=some) for some in rows]
    tops = Scorer(vectors, device=CPU, dtype=dtype).top(queries, pools, [20] * 5)
    for top, query, some in zip(tops, queries, rows, strict=True):
        agree(top, brute_force(vectors, query, some, 20))


@given(seed=st.integers(0, 1000), copies=st.integers(1, 400), k=st.integers(1, 20))
@settings(max_examples=30)
def test_precision_changes_no_answer_even_among_near_ties(seed, copies, k):
    """Many news that differ by one rounding step are beyond what bfloat16 can tell apart."""
    rng, vectors, queries = random_world(seed, num_news=600, batch=1)
    vectors[rng.permutation(600)[:copies]] = vectors[0]
    vectors[rng.permutation(600)[:copies], 0] = np.nextafter(vectors[0, 0], np.float16(10))
    expected = brute_force(vectors, queries[0], np.arange(600), k)
    for dtype in DTYPES:
        scorer = Scorer(vectors, device=CPU, dtype=dtype)
        agree(scorer.top(queries, [Pool(600, 600)], [k])[0], expected)


@pytest.mark.parametrize("seed", range(5))
def test_news_that_bfloat16_puts_out_of_the_finalists_are_found(seed):
    """All news are alike but for what rounding takes away: the rough order says next to nothing."""
    _, vectors, queries = random_world(seed, batch=1)
    vectors = (1 + vectors / 500).astype(np.float16)
    scorer = Scorer(vectors, device=CPU, dtype=torch.bfloat16)
    expected = brute_force(vectors, queries[0], np.arange(3000), 10)
    agree(scorer.top(queries, [Pool(3000, 3000)], [10])[0], expected)


def test_equal_scores_stand_in_the_order_of_rows():
    scorer = Scorer(np.ones((500, 3), np.float16), device=CPU, dtype=torch.bfloat16)
    rows, _ = scorer.top(np.ones((1, 3), np.float16), [Pool(500, 500)], [40])[0]
    np.testing.assert_array_equal(rows, np.arange(40))


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(dtype):
    _, vectors, queries = random_world(2, batch=9)
    scorer, pool = Scorer(vectors, device=CPU, dtype=dtype), Pool(3000, 3000)
    together = scorer.top(queries, [pool] * 9, [10, 300, *[10] * 7])
    alone = scorer.top(queries[:1], [pool], [10])
    agree(together[0], alone[0])


def test_hidden_and_disallowed_rows_are_never_returned():
    _, vectors, queries = random_world(3, num_news=100, batch=2)
    odd = np.arange(100) % 2 == 1
    pools = [Pool(100, 97, hidden=np.array([1, 5, 9])), Pool(100, 50, allowed=odd)]
    tops = Scorer(vectors, device=CPU, dtype=torch.float32).top(queries, pools, [100, 100])
    assert set(tops[0][0].tolist()) == set(range(100)) - {1, 5, 9}
    assert set(tops[1][0].tolist()) == set(np.flatnonzero(odd).tolist())


def test_an_exhausted_pool_and_an_empty_catalogue_give_nothing():
    scorer = Scorer(np.ones((0, 3), np.float16), device=CPU, dtype=torch.float32)
    assert scorer.top(np.ones((1, 3), np.float16), [Pool(0, 0)], [5])[0][0].size == 0


def test_scores_of_single_rows_are_those_of_the_ranking():
    _, vectors, queries = random_world(4)
    scorer = Scorer(vectors, device=CPU, dtype=torch.bfloat16)
    rows, scores = scorer.top(queries[:1], [Pool(3000, 3000)], [30])[0]
    np.testing.assert_array_equal(scorer.scores(queries[0], rows), scores)


def test_a_trial_chooses_a_type_that_the_scorer_knows():
    assert fastest(100, 8, CPU) in DTYPES
    assert fastest(100, 8, torch.device("cuda")) is torch.bfloat16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_answers_as_the_cpu_does(dtype):
    _, vectors, queries = random_world(5)
    pools = [Pool(3000, 3000)] * 5
    ours = Scorer(vectors, device=torch.device("cuda"), dtype=dtype).top(queries, pools, [10] * 5)
    for top, query in zip(ours, queries, strict=True):
        agree(top, brute_force(vectors, query, np.arange(3000), 10))
