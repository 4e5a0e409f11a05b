import numpy as np
import pytest
import torch

from recsys.training.ratings.expomf import ExpoMF, ExpoMFConfig
from recsys.training.ratings.factorisation import Factorisation, FactorisationConfig

READERS, NEWS = 120, 60


def model(liked, penalty=0.01, *, dim=4, **config):
    size = FactorisationConfig(dim=dim)
    recommender = Factorisation(tuple(liked.shape), size, torch.Generator().manual_seed(0))
    return ExpoMF(recommender, liked, penalty, ExpoMFConfig(**config))


@pytest.fixture(scope="module")
def world():
    """Readers like half of the news, by taste; the first news are seen by few, the last by most."""
    rng = np.random.default_rng(0)
    side, topic = rng.integers(2, size=READERS), np.arange(NEWS) % 2
    suits = side[:, None] == topic
    seen = rng.random((READERS, NEWS)) < np.linspace(0.1, 0.9, NEWS)
    return torch.from_numpy(suits), torch.from_numpy(suits & seen)


def log_posterior(one, liked, penalty):
    """What every step raises, up to a constant, in nats: exposure is summed out."""
    readers, news = (t[:, :-1].detach() for t in (one.recommender.readers, one.recommender.news))
    noise = torch.distributions.Normal(readers @ news.T, one.config.precision**-0.5)
    seen = one.exposure * noise.log_prob(liked.float()).exp()
    pairs = torch.where(liked, seen, seen + 1 - one.exposure).log().sum()
    shrinkage = penalty * (NEWS * readers.square().sum() + READERS * news.square().sum()) / 2
    looks = (one.exposure.log() + (1 - one.exposure).log()).sum()  # of Beta(2, 2)
    return float(pairs - shrinkage + looks)


def test_no_step_lowers_the_posterior(world):
    one = model(world[1], precision=5.0, exposure=0.3)
    values = []
    for _ in range(15):
        values.append(log_posterior(one, world[1], 0.01))
        one.step()
    assert (np.diff(values) > -1e-3).all()
    assert values[-1] > values[0] + 100


def test_exposure_is_bayes_rule_on_a_hand_worked_pair():
    liked = torch.tensor([[True, False]])
    one = model(liked, dim=1, precision=4.0, exposure=0.2)
    with torch.no_grad():
        one.recommender.readers[:, 0] = 0.5
        one.recommender.news[:, 0] = 2.0  # both score 1
    density = np.sqrt(4 / (2 * np.pi)) * np.exp(-2)
    expected = 0.2 * density / (0.2 * density + 0.8)
    np.testing.assert_allclose(one.exposed().numpy(), [[1, expected]], rtol=1e-6)


def test_a_reader_is_the_ridge_regression_of_what_was_seen():
    liked = torch.tensor([[True, False, True], [False, True, False]])
    one = model(liked, 0.1, dim=2, precision=3.0, exposure=0.4)
    news, seen = one.recommender.news[:, :-1].detach().double(), one.exposed().double()
    one.step()
    for row in range(2):
        left = 3.0 * (news.T * seen[row]) @ news + 0.1 * 3 * torch.eye(2)
        right = 3.0 * news.T @ (seen[row] * liked[row])
        found = one.recommender.readers[row, :-1].detach().double()
        torch.testing.assert_close(found, torch.linalg.solve(left, right), rtol=1e-4, atol=1e-6)


def test_news_that_more_readers_saw_get_a_higher_prior(world):
    one = model(world[1], 0.001, precision=5.0, exposure=0.3)
    for _ in range(30):
        one.step()
    truth = np.linspace(0.1, 0.9, NEWS)
    assert np.corrcoef(one.exposure.numpy(), truth)[0, 1] > 0.9


def test_what_suits_a_reader_is_found_though_few_saw_it(world):
    suits, liked = world
    one = model(liked, 0.001, precision=5.0, exposure=0.3)
    for _ in range(30):
        one.step()
    scores = (one.recommender.readers @ one.recommender.news.T).detach()
    rare = slice(0, 15)  # seen by a quarter or less
    missed = ~liked[:, rare]
    suiting, other = scores[:, rare][suits[:, rare] & missed], scores[:, rare][~suits[:, rare]]
    assert (suiting[:, None] > other[None, :]).float().mean() > 0.9


def test_biases_stay_zero(world):
    one = model(world[1])
    one.step()
    assert not one.recommender.readers[:, -1].any()
    assert not one.recommender.news[:, -1].any()


def test_rows_are_solved_in_blocks_alike(world, monkeypatch):
    whole, blocks = model(world[1]), model(world[1])
    whole.step()
    monkeypatch.setattr("recsys.training.ratings.expomf.ROWS", 7)
    blocks.step()
    torch.testing.assert_close(blocks.recommender.readers, whole.recommender.readers)
