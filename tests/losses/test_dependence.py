import pytest
import torch

from recsys.losses import dependence
from recsys.losses.dependence import explained_by_others

READERS = 1000


def draw(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def vectors():
    return torch.randn(READERS, 5, generator=draw(0))


def coin(seed):
    return (torch.rand(READERS, 1, generator=draw(seed)) < 0.5).float()


def loss(vectors, beliefs):
    return explained_by_others(vectors, beliefs).mean()


def test_a_shifted_group_costs_more_the_further_it_is(vectors):
    group = coin(1)
    near, far = (loss(vectors + shift * group, group) for shift in (0.5, 1.5))
    assert 0.1 < near < far - 0.1


def test_a_group_that_differs_in_spread_alone_is_seen(vectors):
    group = coin(1)
    assert loss(vectors * (1 + 2 * group), group) > 0.2


def test_a_group_told_by_the_product_of_two_units_is_seen(vectors):
    group = (vectors[:, :1] * vectors[:, 1:2] > 0).float()
    assert loss(vectors, group) > 0.2


def test_being_wrong_elsewhere_does_not_make_up_for_a_linear_trace():
    white = torch.randn(READERS, 5, generator=draw(5))
    vectors, shown = torch.cat([white, white]), torch.sigmoid(0.5 * white[:, :1])
    noise = torch.randn(READERS, 1, generator=draw(6))  # of twins, one up and one down
    beliefs = torch.cat([shown + noise, shown - noise])
    order = torch.randperm(2 * READERS, generator=draw(7))
    linear, whole = (
        dependence._explained(dependence._centred(kernel), beliefs[order] - beliefs.mean())
        for kernel in dependence._kernels(vectors[order])
    )
    assert whole < 0 < linear
    torch.testing.assert_close(loss(vectors[order], beliefs[order]), linear.sum())


def test_it_is_what_ridge_regressions_on_each_half_guess_of_the_other():
    root, beliefs = torch.randn(7, 7, generator=draw(8)), torch.rand(7, 2, generator=draw(9))
    kernel, centred = root @ root.T, beliefs - beliefs.mean(dim=0)
    one, other = slice(0, 3), slice(3, 7)
    found = torch.zeros(2)
    for fit, judge in ((one, other), (other, one)):
        ridge = kernel[fit, fit] + torch.eye(len(kernel[fit]))
        found += (centred[judge] * (kernel[judge, fit] @ ridge.inverse() @ centred[fit])).sum(dim=0)
    expected = found / centred.square().sum(dim=0)
    torch.testing.assert_close(dependence._explained(kernel, centred), expected)


def test_kernels_see_vectors_whitened_and_each_unit_at_unit_variance():
    vectors = torch.randn(40, 3, generator=draw(8)) * torch.tensor([1.0, 2.0, 3.0])
    vectors[:, 1] += vectors[:, 0]
    centred = vectors - vectors.mean(dim=0)
    covariance = centred.T @ centred / 40
    faint = dependence.FAINT * covariance.trace() / 3 * torch.eye(3)

    def gaussians(metric):
        apart = vectors[:, None] - vectors
        square = torch.einsum("abi,ij,abj->ab", apart, metric, apart) / 3
        return sum(torch.exp(-square / (2 * width**2)) for width in dependence.BANDWIDTHS)

    white = (covariance + faint).inverse()
    alone = torch.diag(1 / covariance.diagonal())
    linear, whole = dependence._kernels(vectors)
    torch.testing.assert_close(linear, centred @ white @ centred.T / 3, rtol=1e-3, atol=1e-3)
    expected = linear + gaussians(white) + gaussians(alone)
    torch.testing.assert_close(whole, expected, rtol=1e-3, atol=1e-3)


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


def squeezed(vectors, group, width):
    """A unit that tells the group, turned into all the others and next to gone."""
    telling = torch.cat([vectors[:, :1] + 3 * group, vectors[:, 1:]], dim=1)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=draw(4))).Q
    return telling * torch.tensor([width, 1, 1, 1, 1]) @ turn


def test_a_squeezed_direction_hides_nothing(vectors):
    group = coin(1)
    open_, hidden = (loss(squeezed(vectors, group, width), group) for width in (1, 0.2))
    assert hidden > 0.8 * open_ > 0.4


def test_what_is_far_too_faint_to_be_published_is_not_charged(vectors):
    group = coin(1)
    assert loss(squeezed(vectors, group, 0.0002), group) < 0.05


def test_each_group_is_charged_for_what_is_found_of_it(vectors):
    found, hidden = coin(1), coin(2)
    each = explained_by_others(vectors + found, torch.cat([found, hidden], dim=1))
    assert each[0] > 3 * abs(each[1])


def test_what_is_found_by_chance_is_next_to_nothing_in_the_mean(vectors):
    found = torch.stack([loss(vectors, coin(seed)) for seed in range(1, 31)])
    assert abs(found.mean()) < 0.01
    assert (found < 0).any()


def test_a_group_that_the_vectors_tell_is_explained_whole(vectors):
    group = coin(1)
    assert loss(vectors + 5 * group, group) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("readers", [1, 2, 3])
def test_hardly_any_reader_has_a_finite_cost(readers):
    few = explained_by_others(torch.randn(readers, 4), torch.rand(readers, 2))
    assert torch.isfinite(few).all()


def test_the_gradient_is_that_of_the_value(vectors):
    few, beliefs = vectors[:12].double().requires_grad_(), torch.rand(12, 2, generator=draw(3))
    torch.autograd.gradcheck(explained_by_others, (few, beliefs.double()), atol=1e-6)
