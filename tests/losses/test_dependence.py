import pytest
import torch

from recsys.losses.dependence import mmd_loss


@pytest.fixture
def vectors():
    return torch.randn(400, 5, generator=torch.Generator().manual_seed(0))


def coin(seed):
    return (torch.rand(400, 1, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


def test_groups_of_one_distribution_cost_about_nothing(vectors):
    losses = torch.stack([mmd_loss(vectors, coin(seed)) for seed in range(20)])
    assert losses.mean().abs() < 0.01


def test_a_shifted_group_costs_more_the_further_it_is(vectors):
    group = coin(1)
    near, far = (mmd_loss(vectors + shift * group, group) for shift in (0.3, 1.0))
    assert 0 < near < far / 4


def test_a_group_that_differs_in_spread_alone_is_seen(vectors):
    group = coin(1)
    assert mmd_loss(vectors * (1 + 2 * group), group) > 0.02


def test_a_group_told_by_the_product_of_two_units_is_seen(vectors):
    group = (vectors[:, :1] * vectors[:, 1:2] > 0).float()
    assert mmd_loss(vectors, group) > 0.01


def test_beliefs_half_as_strong_weigh_the_same(vectors):
    group = coin(1)
    shifted = vectors + group
    torch.testing.assert_close(mmd_loss(shifted, group), mmd_loss(shifted, 0.25 + group / 2))


def test_one_belief_about_everybody_costs_nothing_with_finite_gradients(vectors):
    vectors.requires_grad_()
    loss = mmd_loss(vectors, torch.full((400, 2), 0.5))
    loss.backward()
    assert loss == 0
    assert torch.isfinite(vectors.grad).all()


def test_scale_and_shift_do_not_matter(vectors):
    group = coin(1)
    shifted = vectors + group
    torch.testing.assert_close(
        mmd_loss(shifted, group), mmd_loss(7 * shifted - 3, group), rtol=1e-2, atol=1e-3
    )
