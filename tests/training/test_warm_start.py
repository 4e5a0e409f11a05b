import numpy as np
import pytest

from recsys.training.warm_start import RIDGE, autoencoder_factors


@pytest.fixture
def clicks():
    """Readers of two tastes; each clicks a third of the ten news of theirs."""
    rng = np.random.default_rng(0)
    pairs = [
        (reader, 10 * (reader % 2) + news)
        for reader in range(400)
        for news in rng.choice(10, 4, replace=False)
    ]
    return np.array(pairs).T


ALL = np.arange(20)


def factors(clicks, dim=20, kept=ALL):
    return autoencoder_factors(*clicks, kept, num_readers=400, dim=dim)


def test_whole_they_are_the_closed_form_made_symmetric(clicks):
    """All positive eigenvalues kept, the weights are those of the closed form."""
    matrix = np.zeros((400, 20))
    matrix[tuple(clicks)] = 1
    precision = np.linalg.inv(matrix.T @ matrix + RIDGE * np.eye(20))
    steck = -precision / np.diag(precision)
    np.fill_diagonal(steck, 0)
    balance = np.sqrt(np.diag(precision))
    symmetric = steck * balance / balance[:, None]
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-12)
    values, vectors = np.linalg.eigh(symmetric)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T
    found = factors(clicks)
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-6)


def test_a_readers_sum_ranks_news_of_their_taste_first(clicks):
    news = factors(clicks, dim=4)
    reader = news[clicks[1][clicks[0] == 0]].sum(axis=0)
    scores = news @ reader
    assert scores[:10].min() > scores[10:].max()


def test_news_left_out_take_no_part(clicks):
    some = factors(clicks, dim=4, kept=np.arange(10))
    only = clicks[:, clicks[1] < 10]
    np.testing.assert_array_equal(some, factors(only, dim=4, kept=np.arange(10)))


def test_more_dimensions_than_news_are_padded_with_nothing(clicks):
    found = factors(clicks, dim=32)
    assert found.shape == (20, 32)
    assert (found[:, 20:] == 0).all()
