from dataclasses import replace

import numpy as np
import pytest

from pipelines.simulate import simulate
from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.ranker.bundle import Readers
from recsys.simulation.config import WorldConfig
from recsys.simulation.truth import Truth
from recsys.training import truth
from tests.ranker import worlds
from tests.training.conftest import corpus_of

WORLD = WorldConfig(readers=30, news=120, days=3, slates_per_reader=6)


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_config):
    path = tmp_path_factory.mktemp("truth") / "dataset"
    simulate(path, WORLD)
    dataset = Dataset.open(path)
    return dataset, corpus_of(dataset, tiny_config)


def bundle_of(corpus, readers, news):
    """Publish vectors; nobody has clicked anything."""
    users = corpus.log.user_ids
    nobody = np.zeros(len(users) + 1, np.int64)
    return replace(
        worlds.bundle(),
        catalogue=worlds.catalogue(news, ids=corpus.log.news_ids),
        readers=Readers(users, readers.astype(np.float16), np.zeros(0, np.int32), nobody),
    )


@pytest.fixture
def random_bundle(world):
    _, corpus = world
    rng = np.random.default_rng(0)
    log = corpus.log
    readers, news = rng.normal(size=(len(log.user_ids), 4)), rng.normal(size=(len(log.news_ids), 4))
    return bundle_of(corpus, readers, news)


def by_hand(dataset, bundle, reader, allowed):
    """The formula, one reader at a time."""
    relevance = Truth.load(dataset.path).relevance_table(
        [bundle.readers.ids[reader]], [bundle.catalogue.ids[row] for row in allowed]
    )[0]
    vectors = bundle.catalogue.vectors[allowed].astype(np.float32)
    scores = vectors @ bundle.readers.vectors[reader].astype(np.float32)
    discounts = 1 / np.log2(np.arange(10) + 2)
    return (
        relevance[np.argsort(-scores)[:10]]
        @ discounts
        / (np.sort(relevance)[::-1][:10] @ discounts)
    )


def test_it_is_the_formula(world, random_bundle):
    dataset, corpus = world
    found = truth.measure(dataset, random_bundle, corpus)
    assert list(found["user_id"]) == corpus.log.user_ids
    rows = truth.candidates(corpus)
    expected = [by_hand(dataset, random_bundle, i, rows) for i in range(len(found))]
    np.testing.assert_allclose(found[truth.METRIC], expected, rtol=1e-6)


def test_what_a_reader_clicked_is_neither_ranked_nor_missed(world, random_bundle):
    dataset, corpus = world
    rows = truth.candidates(corpus)
    clicked, left = rows[::3], np.delete(rows, np.s_[::3])
    offsets = np.full_like(random_bundle.readers.offsets, len(clicked))
    offsets[0] = 0  # the first reader clicked them all, nobody else anything
    readers = replace(random_bundle.readers, clicks=clicked.astype(np.int32), offsets=offsets)
    found = truth.measure(dataset, replace(random_bundle, readers=readers), corpus)
    first = by_hand(dataset, random_bundle, 0, left)
    assert found[truth.METRIC][0] == pytest.approx(first, rel=1e-6)
    assert found[truth.METRIC][1] == pytest.approx(by_hand(dataset, random_bundle, 1, rows))


def test_ranking_by_true_interest_is_perfect(world):
    dataset, corpus = world
    known = Truth.load(dataset.path)
    log = corpus.log
    tastes = known.tastes[known.readers.get_indexer(log.user_ids)]
    rows = known.news.get_indexer(log.news_ids)
    readers = np.column_stack([tastes, np.ones(len(tastes))])
    news = np.column_stack([known.points, known.appeal])[rows]
    found = truth.measure(dataset, bundle_of(corpus, readers, news), corpus)
    assert found[truth.METRIC].min() > 0.998  # float16 may swap near-ties


def test_candidates_were_shown_in_the_test(world):
    _, corpus = world
    log, rows = corpus.log, truth.candidates(corpus)
    slate = np.repeat(np.arange(len(log.shown.reader)), np.diff(log.shown.offsets))
    expected = {
        n for n, s in zip(log.shown.news, slate, strict=True) if s in corpus.split.test.slate
    }
    assert set(rows) == expected
    assert len(rows) < len(log.news_ids)


def test_of_many_readers_every_run_asks_the_same(world, random_bundle, monkeypatch):
    dataset, corpus = world
    everyone = truth.measure(dataset, random_bundle, corpus)
    monkeypatch.setattr(truth, "MAX_READERS", 7)
    some = truth.measure(dataset, random_bundle, corpus)
    both = some.merge(everyone, on="user_id", suffixes=("", "_of_all"))
    assert len(both) == len(some) == 7
    np.testing.assert_allclose(both[truth.METRIC], both[f"{truth.METRIC}_of_all"])


def test_summary_is_the_mean_with_its_interval(world, random_bundle):
    found = truth.measure(world[0], random_bundle, world[1])
    value = truth.summary(found, np.random.default_rng(0))[truth.METRIC]
    assert value["mean"] == pytest.approx(found[truth.METRIC].mean())
    assert value["low"] < value["mean"] < value["high"]


def test_a_real_log_has_no_truth(tiny_dataset, corpus, random_bundle):
    assert truth.measure(tiny_dataset, random_bundle, corpus) is None


def test_damaged_truth_is_named(world, random_bundle, tmp_path):
    _, corpus = world
    broken = tmp_path / "dataset"
    simulate(broken, WORLD)
    (broken / "truth" / "news.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="truth"):
        truth.measure(Dataset.open(broken), random_bundle, corpus)
