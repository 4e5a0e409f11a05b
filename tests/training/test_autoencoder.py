import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.training import autoencoder
from recsys.training.autoencoder import RIDGE, factors


@pytest.fixture
def clicks():
    """Readers of two tastes; each clicks a third of the ten news of theirs."""
    rng = np.random.default_rng(0)
    pairs = [
        (reader, 10 * (reader % 2) + news)
        for reader in range(400)
        for news in rng.choice(10, 4, replace=False)
    ]
    return csr_array((np.ones(len(pairs)), tuple(np.array(pairs).T)), shape=(400, 20))


def test_whole_they_are_the_closed_form_made_symmetric(clicks):
    """All positive eigenvalues kept, the weights are those of the closed form."""
    matrix = clicks.toarray()
    precision = np.linalg.inv(matrix.T @ matrix + RIDGE * np.eye(20))
    steck = -precision / np.diag(precision)
    np.fill_diagonal(steck, 0)
    balance = np.sqrt(np.diag(precision))
    symmetric = steck * balance / balance[:, None]
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-12)
    values, vectors = np.linalg.eigh(symmetric)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T
    found = factors(clicks, 20)
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-6)


def test_a_readers_sum_ranks_news_of_their_taste_first(clicks):
    news = factors(clicks, 4)
    reader = clicks[[0]].toarray()[0] @ news
    scores = news @ reader
    assert scores[:10].min() > scores[10:].max()


def test_a_click_counts_once(clicks):
    np.testing.assert_array_equal(factors(clicks, 4), factors(7 * clicks, 4))


def test_news_beyond_the_largest_catalogue_take_no_part(clicks, monkeypatch):
    often = csr_array(np.hstack([clicks.toarray()[:, :10]] * 2))
    rare = often.tolil()
    rare[:200, 10:] = 0
    monkeypatch.setattr(autoencoder, "LARGEST_CATALOGUE", 10)
    found = factors(csr_array(rare), 4)
    np.testing.assert_allclose(found[:10], factors(often[:, :10], 4), atol=1e-6)
    assert not found[10:].any()


def test_without_a_click_there_is_no_direction():
    assert not factors(csr_array((3, 5)), 4).any()


def test_the_strongest_factors_are_last_and_zeros_stand_for_those_there_are_not(clicks):
    many, few = factors(clicks, 30), factors(clicks, 3)
    lengths = np.square(many).sum(axis=0)
    assert not lengths[:10].any()
    assert (np.diff(lengths) >= -1e-6).all()
    np.testing.assert_allclose(np.abs(many[:, -3:]), np.abs(few), atol=1e-5)
