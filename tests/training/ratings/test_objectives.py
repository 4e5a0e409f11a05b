import pytest
import torch

from recsys.training.ratings.factorisation import Confounder, Factorisation, FactorisationConfig
from recsys.training.ratings.objectives import Batch, DoublyRobust, Implicit, Observed

SHAPE = (3, 4)


def model(seed=0, confounder=None):
    generator = torch.Generator().manual_seed(seed)
    return Factorisation(SHAPE, FactorisationConfig(dim=2, scale=1.0), generator, confounder)


def batch(weights=(1.0, 1.0, 1.0)):
    return Batch(
        readers=torch.tensor([0, 1, 2]),
        news=torch.tensor([0, 1, 3]),
        labels=torch.tensor([1.0, 0.0, 1.0]),
        weights=torch.tensor(weights),
        whole_readers=torch.arange(3).repeat_interleave(4),
        whole_news=torch.arange(4).repeat(3),
    )


def losses(recommender, labels, readers, news):
    scores = recommender(readers, news).sigmoid()
    return -(labels * scores.log() + (1 - labels) * (1 - scores).log())


def test_naive_is_the_mean_cross_entropy_and_ips_its_weighted_mean():
    recommender = model()
    one = batch()
    each = losses(recommender, one.labels, one.readers, one.news)
    assert Observed(recommender, 0.0)(one).item() == pytest.approx(each.mean().item(), rel=1e-5)
    weighted = batch((0.5, 2.0, 0.5))
    expected = (weighted.weights * each).mean().item()
    assert Observed(recommender, 0.0)(weighted).item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_counts_every_row_alike():
    recommender = model()
    rise = Observed(recommender, 1.0)(batch()) - Observed(recommender, 0.0)(batch())
    norms = recommender.readers.square().sum() / 3 + recommender.news.square().sum() / 4
    assert rise.item() == pytest.approx(norms.item(), rel=1e-5)


def test_rel_mf_is_its_formula():
    recommender, theta = model(), torch.tensor([0.5, 1.0, 1.0, 0.25])
    one = batch()
    scores = recommender(one.readers, one.news).sigmoid()
    whole = recommender(one.whole_readers, one.whole_news).sigmoid()
    liked = (0, 2)
    terms = sum(
        (1 / theta[one.news[i]]) * (1 - scores[i]) ** 2
        + (1 - 1 / theta[one.news[i]]) * scores[i] ** 2
        for i in liked
    )
    expected = (terms + (whole**2).sum()) / (2 + 12)
    found = Implicit(recommender, theta, 1.0, 0.0)(one)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("unlabelled", [1.0, 0.3])
def test_rel_mf_with_propensities_of_one_is_wmf(unlabelled):
    recommender = model()
    found = Implicit(recommender, torch.ones(4), unlabelled, 0.0)(batch())
    one = batch()
    liked = recommender(one.readers[[0, 2]], one.news[[0, 2]]).sigmoid()
    whole = recommender(one.whole_readers, one.whole_news).sigmoid()
    expected = (((1 - liked) ** 2).sum() + unlabelled * (whole**2).sum()) / (2 + 12 * unlabelled)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def pattern(readers, news):
    return ((readers + news) % 3) / 2


def test_doubly_robust_is_the_mean_cross_entropy_of_its_labels_on_the_whole():
    recommender, one = model(), batch((0.5, 1.5, 1.0))
    whole = (one.whole_readers, one.whole_news)
    expected = losses(recommender, pattern(*whole), *whole).mean() + 0.5 * recommender.norm()
    found = DoublyRobust(recommender, pattern, 0.5)(one)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("extreme", [-50.0, 50.0])
def test_losses_and_gradients_are_finite_at_extreme_scores(extreme):
    recommender = model()
    with torch.no_grad():
        recommender.intercept.fill_(extreme)
    for objective in (
        Observed(recommender, 0.1),
        Implicit(recommender, torch.full((4,), 0.01), 1.0, 0.1),
        DoublyRobust(recommender, pattern, 0.1),
    ):
        objective.zero_grad()
        loss = objective(batch())
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(recommender.readers.grad).all()


def test_a_confounder_enters_with_one_learned_coefficient():
    exposure = Confounder(torch.ones(3, 1), torch.arange(4.0)[:, None])
    plain, informed = model(), model(confounder=exposure)
    pairs = (torch.tensor([0, 0]), torch.tensor([1, 3]))
    assert torch.equal(plain(*pairs), informed(*pairs))
    with torch.no_grad():
        informed.influence.fill_(2.0)
    assert torch.allclose(informed(*pairs) - plain(*pairs), torch.tensor([2.0, 6.0]))
