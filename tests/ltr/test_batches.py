import numpy as np
import pytest
import torch

from recsys.ltr.batches import LoggedSource, SimulatedSource
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.clicks.sessions import Sessions

APPEAL = np.array([0.9, 0.5, 0.2, 0.7])
SHOWN = np.array([[0, 1], [3, 2], [2, 0]])
MASK = np.array([[True, True], [True, True], [True, False]])
CURVE = np.array([1.0, 0.5])
FEATURES = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.fixture
def source():
    return SimulatedSource(FEATURES, SHOWN, MASK, APPEAL, PositionBased(CURVE))


def first(source, size=5000, seed=0):
    return next(source.batches(size, np.random.default_rng(seed)))


def test_clicks_come_as_often_as_the_click_model_says(source):
    batch = first(source, 60_000)
    expected = (APPEAL[SHOWN] * CURVE * MASK).mean(axis=0)
    assert batch.clicks.mean(dim=0).numpy() == pytest.approx(expected, abs=0.01)


def test_nothing_hidden_is_clicked(source):
    batch = first(source)
    assert not batch.clicks[~batch.mask].any()


def test_features_and_appeal_are_those_of_the_documents_shown(source):
    batch = first(source)
    documents = (batch.features[..., 0] / 2).long().numpy()
    assert batch.appeal.numpy() == pytest.approx(APPEAL[documents].astype(np.float32))


def test_same_seed_same_sessions(source):
    assert torch.equal(first(source).clicks, first(source).clicks)
    assert not torch.equal(first(source).clicks, first(source, seed=1).clicks)


def test_shuffling_shows_every_document_as_often_everywhere(source):
    sessions = source.sample(30_000, np.random.default_rng(0), shuffled=True)
    top = np.bincount(sessions.documents[:, 0], minlength=4)
    low = np.bincount(sessions.documents[:, 1][sessions.mask[:, 1]], minlength=4)
    assert top[[1, 3]] == pytest.approx(low[[1, 3]], rel=0.1)


def test_shuffled_clicks_show_examination(source):
    sessions = source.sample(200_000, np.random.default_rng(0), shuffled=True)
    full = sessions.mask.all(axis=1)
    rate = sessions.clicks[full].mean(axis=0)
    assert rate[1] / rate[0] == pytest.approx(0.5, rel=0.03)


def test_every_logged_session_comes_once_before_any_comes_again():
    shown = np.arange(4)[:, None]
    log = Sessions(shown, shown % 2 == 0, np.ones((4, 1), bool))
    batches = LoggedSource(FEATURES, log).batches(3, np.random.default_rng(0))
    sizes, seen = [], []
    for _ in range(2):
        batch = next(batches)
        sizes.append(len(batch.clicks))
        seen += (batch.features[:, 0, 0] / 2).long().tolist()
    assert sizes == [3, 1] and sorted(seen) == [0, 1, 2, 3]
