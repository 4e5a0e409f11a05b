import pytest
import torch

from recsys.ltr.methods.two_tower import DroppedTower, ReversedTower, TwoTower
from tests.ltr.methods.test_listwise import one_session
from tests.ltr.methods.world import CURVE, batch, setup, trained


def test_its_loss_is_that_of_a_logistic_regression():
    method = TwoTower(setup())
    session = one_session([1.0, 0, 0, 0, 0])
    chance = method.ranker(session.features).sigmoid()[0]
    expected = -chance[0].log() - (1 - chance[1:]).log().sum()
    assert method.loss(session).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_position_tower_learns_the_order_of_the_positions():
    curve = trained("two-tower").examination().numpy()
    assert (curve[1:] < curve[:-1]).all()
    assert curve == pytest.approx(CURVE, abs=0.15)


def test_dropout_sometimes_leaves_the_position_out():
    method = DroppedTower(setup())
    with torch.no_grad():
        method.bias.fill_(3.0)
    torch.manual_seed(0)
    seen = method.observed(batch(500))
    assert set(seen.unique().tolist()) == {0.0, 3.0}
    assert (seen == 0).float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_the_reversed_gradient_pushes_the_position_away_from_relevance():
    plain, turned = TwoTower(setup()), ReversedTower(setup())
    with torch.no_grad():
        turned.head.weight.fill_(1.0)
        turned.head.bias.zero_()
        turned.bias.fill_(1.0)
        plain.bias.fill_(1.0)
    given = batch()
    plain.loss(given).backward()
    turned.loss(given).backward()
    relevance = turned.ranker(given.features).detach()
    pull = 2 * (1.0 - relevance).mean(dim=0) / given.mask.shape[1]  # of the squared error
    extra = turned.bias.grad - plain.bias.grad
    assert torch.allclose(extra, -0.3 * pull, atol=1e-4)
