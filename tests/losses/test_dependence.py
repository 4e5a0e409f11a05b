import pytest
import torch

from recsys.losses.dependence import explained_by_others, kernel_ridge_loss

READERS = 1000


def draw(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def vectors():
    return torch.randn(READERS, 5, generator=draw(0))


def coin(seed):
    return (torch.rand(READERS, 1, generator=draw(seed)) < 0.5).float()


def loss(vectors, beliefs, seed=0):
    return kernel_ridge_loss(vectors, beliefs, generator=draw(seed)).mean()


@pytest.fixture
def chance(vectors):
    """What an attacker explains of a coin that has nothing to do with the vectors."""
    return torch.stack([loss(vectors, coin(seed), seed) for seed in range(1, 11)]).mean()


def test_a_shifted_group_costs_more_the_further_it_is(vectors, chance):
    group = coin(1)
    near, far = (loss(vectors + shift * group, group) for shift in (0.5, 1.5))
    assert chance + 0.05 < near < far - 0.1


def test_a_group_that_differs_in_spread_alone_is_seen(vectors, chance):
    group = coin(1)
    assert loss(vectors * (1 + 2 * group), group) > chance + 0.1


def test_a_group_told_by_the_product_of_two_units_is_seen(vectors, chance):
    group = (vectors[:, :1] * vectors[:, 1:2] > 0).float()
    assert loss(vectors, group) > chance + 0.1


def test_a_linear_trace_is_explained_as_by_ridge_regression(vectors):
    belief = torch.sigmoid(vectors[:, :1])
    assert loss(vectors, belief) == pytest.approx(1, abs=0.15)


def test_beliefs_half_as_strong_cost_the_same(vectors):
    group = coin(1)
    shifted = vectors + group
    torch.testing.assert_close(loss(shifted, group), loss(shifted, 0.25 + group / 2))


def test_one_belief_about_everybody_costs_nothing_with_finite_gradients(vectors):
    vectors.requires_grad_()
    nothing = loss(vectors, torch.full((READERS, 2), 0.5))
    nothing.backward()
    assert nothing == 0
    assert torch.isfinite(vectors.grad).all()


def test_scale_and_shift_hide_nothing(vectors):
    group = coin(1)
    shifted = vectors + group
    torch.testing.assert_close(
        loss(shifted, group), loss(0.01 * shifted - 3, group), rtol=0.05, atol=1e-3
    )


def test_each_group_is_charged_for_what_is_found_of_it(vectors):
    found, hidden = coin(1), coin(2)
    each = kernel_ridge_loss(vectors + found, torch.cat([found, hidden], dim=1), generator=draw(0))
    assert each[0] > 3 * each[1]


def test_what_others_explain_of_a_coin_is_nothing_in_the_mean(vectors):
    found = torch.stack(
        [explained_by_others(vectors, coin(seed), generator=draw(seed)) for seed in range(1, 31)]
    )
    assert abs(found.mean()) < 3 * found.std() / 30**0.5
    assert (found < 0).any()


def test_others_explain_a_group_that_the_vectors_tell(vectors):
    group = coin(1)
    found = explained_by_others(vectors + 3 * group, group, generator=draw(0))
    assert found / group.var() == pytest.approx(1, abs=0.25)
