import numpy as np
import pytest
import torch
from safetensors.torch import save

from recsys.errors import CheckpointError
from recsys.ranker.query import Condition, Query
from recsys.ranker.ranker import Ranker
from tests.ranker import worlds

NUM, DIM = 300, 8


@pytest.fixture(scope="module")
def news():
    rng = np.random.default_rng(0)
    ranked, read = rng.standard_normal((2, NUM, DIM)).astype(np.float16)
    return worlds.catalogue(
        ranked,
        read_vectors=read,
        categories=["sports" if i % 3 == 0 else "politics" for i in range(NUM)],
        popularity=rng.permutation(NUM).astype(np.float32),
    )


@pytest.fixture(scope="module")
def ranker(news):
    return worlds.ranker(news)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def vector(seed):
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float16)


def test_scores_are_dot_products_best_first(ranker, news, rng):
    answer = ranker.rank([Query(vector(1), 10)], rng)[0]
    scores = news.vectors.astype(float) @ vector(1).astype(float)
    np.testing.assert_array_equal(answer.rows, np.argsort(-scores)[:10])
    np.testing.assert_allclose(answer.scores, np.sort(scores)[::-1][:10], rtol=1e-6)
    np.testing.assert_array_equal(answer.propensities, np.ones(10))


def test_a_batch_of_all_kinds_is_answered_in_its_order(ranker, rng):
    """One by one and together, each query gets the same slate."""
    queries = [
        Query(None, 3),
        Query(vector(1), 5, rows=np.array([7, 2, 2, 9])),
        Query(vector(2), 4, hidden=np.arange(100)),
        Query(None, 2, rows=np.array([7, 2, 9])),
        Query(vector(3), 300, condition=Condition(categories=frozenset({"sports"}))),
        Query(vector(4), 6, rows=np.zeros(0, np.int64)),
    ]
    together = ranker.rank(queries, rng)
    alone = [ranker.rank([query], rng)[0] for query in queries]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert [len(one.rows) for one in together] == [3, 3, 4, 2, 100, 0]


def test_no_query_no_answer(ranker, rng):
    assert ranker.rank([], rng) == []


def test_the_popular_rung_orders_by_popularity(ranker, news, rng):
    rows = ranker.rank([Query(None, NUM)], rng)[0].rows
    assert (np.diff(news.popularity[rows]) < 0).all()


def test_explored_places_carry_the_score_of_what_stands_there(news, rng):
    query = Query(vector(1), 50, hidden=np.arange(10))
    answer = worlds.ranker(news, explore=0.5).rank([query], rng)[0]
    scores = news.vectors[answer.rows].astype(float) @ vector(1).astype(float)
    np.testing.assert_allclose(answer.scores, scores, rtol=1e-5, atol=1e-6)
    assert answer.rows.min() >= 10
    assert (np.diff(answer.scores) > 0).any()


def test_explored_popular_places_carry_their_popularity(news, rng):
    ranker = worlds.ranker(news, explore=1.0)
    answer = ranker.rank([Query(None, 50)], rng)[0]
    np.testing.assert_allclose(answer.scores, (1 + news.popularity[answer.rows]) / 2, rtol=1e-6)
    np.testing.assert_allclose(answer.propensities, 1 / (NUM - np.arange(50)), rtol=1e-6)


# -- fresh encodings


def test_a_fresh_encoding_equals_the_published_one(ranker, news):
    """Encoded as training does it: alone, from float16 news vectors in float32, then rounded."""
    histories = [[3], [9, 4, 9, 200], list(range(5))]
    module = worlds.encoder(DIM).eval()
    table = torch.tensor(news.read_vectors).float()
    with torch.no_grad():
        published = [
            module(table, torch.tensor([one]), torch.ones(1, len(one), dtype=torch.bool))[0]
            for one in histories
        ]
    fresh = ranker.encode(histories)
    for ours, theirs in zip(fresh, published, strict=True):
        np.testing.assert_allclose(ours, theirs.half().numpy(), rtol=2**-10, atol=2**-14)


def test_only_the_newest_clicks_count(ranker):
    long = list(range(40))
    np.testing.assert_array_equal(ranker.encode([long]), ranker.encode([long[-5:]]))


def test_an_empty_history_is_the_zero_vector(ranker):
    vectors = ranker.encode([[], [1, 2], []])
    np.testing.assert_array_equal(vectors[[0, 2]], np.zeros((2, DIM)))
    assert vectors[1].any()
    assert ranker.encode([[]]).shape == (1, DIM)
    assert ranker.encode([]).shape == (0, DIM)


# -- loading


def test_ids_lead_to_rows(ranker):
    assert ranker.row_of["n17"] == 17


def test_precision_can_be_forced_and_is_told(news):
    assert worlds.ranker(news, precision="bfloat16").precision == "bfloat16"
    assert worlds.ranker(news, precision="float32").precision == "float32"
    assert worlds.ranker(news).precision in {"bfloat16", "float32"}


def test_weights_of_another_shape_are_refused(news):
    weights = save(worlds.encoder(DIM).state_dict())
    manifest = worlds.manifest(news, weights).model_copy(
        update={"user_encoder": {"heads": 2, "hidden": 9}}
    )
    with pytest.raises(CheckpointError, match="do not fit"):
        Ranker.load(news, manifest, weights)


@pytest.mark.parametrize("arguments", [{"heads": 2}, {"heads": 2, "hidden": 4, "kind": "magic"}])
def test_an_encoder_that_cannot_be_built_is_refused(news, arguments):
    weights = save(worlds.encoder(DIM).state_dict())
    manifest = worlds.manifest(news, weights).model_copy(update={"user_encoder": arguments})
    with pytest.raises(CheckpointError, match="do not fit"):
        Ranker.load(news, manifest, weights)


def test_a_catalogue_of_another_model_is_refused(news):
    weights = save(worlds.encoder(DIM).state_dict())
    short = worlds.catalogue(news.vectors[:-1])
    with pytest.raises(CheckpointError, match=r"\(299, 8\), but the manifest says \(300, 8\)"):
        Ranker.load(short, worlds.manifest(news, weights), weights)


def test_an_encoder_of_another_model_is_refused(news):
    ours, theirs = (save(worlds.encoder(DIM, seed).state_dict()) for seed in (0, 1))
    with pytest.raises(CheckpointError, match="not of one model"):
        Ranker.load(news, worlds.manifest(news, ours), theirs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_ranker_answers_as_the_cpu_does(news, ranker, rng):
    weights = save(worlds.encoder(DIM).state_dict())
    there = Ranker.load(news, worlds.manifest(news, weights), weights, device="cuda")
    query = Query(vector(1), 20, hidden=np.arange(9))
    ours, theirs = ranker.rank([query], rng)[0], there.rank([query], rng)[0]
    np.testing.assert_array_equal(ours.rows, theirs.rows)
    np.testing.assert_allclose(there.encode([[1, 2]]), ranker.encode([[1, 2]]), atol=1e-2)
