from dataclasses import replace

import numpy as np
import pytest

from recsys.data.queries import Collection, Queries
from recsys.errors import DataError
from recsys.ltr import protocol
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.protocol import Protocol
from recsys.simulation.ltr import RankingWorld, generate

QUICK = Protocol(randomised_sessions=20_000, label_share=0.1)


@pytest.fixture(scope="module")
def collection():
    truth = generate(RankingWorld(num_queries=300, num_features=8))
    names = [str(query) for query in range(300)]
    whole = Queries(names, truth.offsets, truth.features, truth.labels, truth.buckets)
    return Collection(
        {"train": whole.select(np.arange(200)), "test": whole.select(np.arange(200, 300))}
    )


@pytest.fixture(scope="module")
def world(collection):
    return protocol.prepare(collection, QUICK, seed=0)


def test_appeal_is_that_of_the_published_protocol():
    part = Queries(["a"], np.array([0, 5]), np.ones((5, 1), np.float32), np.arange(5.0))
    appeal = protocol._appeal(part, Protocol(noise=0.1))
    assert appeal == pytest.approx([0.1 + 0.9 * (2**y - 1) / 15 for y in range(5)])


def test_examination_is_the_measured_curve_to_the_power_of_eta():
    model = protocol.click_model(Protocol(eta=2.0), np.ones(1))
    assert isinstance(model, PositionBased)
    assert model.examination[:3] == pytest.approx(np.array([0.68, 0.61, 0.48]) ** 2)


def test_lists_are_the_first_documents_by_score():
    part = Queries(["a", "b"], np.array([0, 3, 4]), np.ones((4, 1), np.float32), np.zeros(4))
    shown, mask = protocol.lists(part, np.array([0.1, 0.9, 0.5, 0.0]), Protocol(positions=2))
    assert shown[mask].tolist() == [1, 2, 3]
    assert mask.tolist() == [[True, True], [True, False]]


def test_features_are_standardised_by_the_training_documents(collection):
    moved = protocol.standardised(collection)
    features = moved.splits["train"].features
    assert features.mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-3)
    assert features.std(axis=0) == pytest.approx(np.ones(8), abs=1e-2)
    assert moved.splits["test"].features.mean() != pytest.approx(0, abs=1e-6)


def test_the_initial_ranker_is_better_than_chance_and_far_from_perfect(collection, world):
    test = collection.splits["test"]
    correlation = np.corrcoef(world.initial, test.labels)[0, 1]
    assert 0.15 < correlation < 0.8


def test_shuffled_sessions_reveal_examination(world):
    truth = world.known_examination / world.known_examination[0]
    assert world.estimated_examination[:5] == pytest.approx(truth[:5], rel=0.15)


def test_confounding_puts_the_relevant_first(collection):
    lists = [
        protocol.prepare(collection, QUICK.model_copy(update={"confounding": level}), 0).source
        for level in (0.0, 5.0)
    ]
    top = [source.appeal[source.shown[:, 0]].mean() for source in lists]
    assert top[1] > top[0] + 0.1


@pytest.mark.parametrize("clicks", ["position", "trust", "cascade", "dynamic", "browsing"])
def test_every_click_model_can_be_followed(collection, clicks):
    settings = QUICK.model_copy(update={"clicks": clicks})
    world = protocol.prepare(collection, settings, 0)
    batch = next(world.source.batches(64, np.random.default_rng(0)))
    assert 0 < batch.clicks.mean() < 1
    assert (world.known_examination is None) == (clicks in {"dynamic", "browsing"})


def test_the_cascades_examination_falls_with_the_position(collection):
    settings = QUICK.model_copy(update={"clicks": "cascade"})
    curve = protocol.prepare(collection, settings, 0).known_examination
    assert curve[0] == 1.0 and (np.diff(curve) < 0).all()


def test_labels_are_needed(collection):
    bare = Queries(["a"], np.array([0, 1]), np.ones((1, 8), np.float32))
    with pytest.raises(DataError, match="test: expected queries with labels"):
        protocol.prepare(Collection({"train": collection.splits["train"], "test": bare}), QUICK, 0)


def test_something_relevant_is_needed(collection):
    train = collection.splits["train"]
    train = replace(train, labels=np.zeros_like(train.labels))
    with pytest.raises(DataError, match="label above 0"):
        protocol.prepare(Collection(collection.splits | {"train": train}), QUICK, seed=0)
