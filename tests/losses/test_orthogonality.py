import pytest
import torch

from recsys.losses.orthogonality import cosine_loss, covariance_loss


@pytest.fixture
def part():
    return torch.randn(500, 4, generator=torch.Generator().manual_seed(0))


def test_cosine_is_one_for_parallel_either_way_and_zero_for_orthogonal():
    first = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    second = torch.tensor([[4.0, 0.0], [-1.0, 0.0], [5.0, 0.0]])
    assert cosine_loss(first, second).item() == pytest.approx((1 + 1 + 0) / 3)


def test_a_zero_vector_is_orthogonal_and_has_finite_gradients():
    empty = torch.zeros(1, 2, requires_grad=True)
    loss = cosine_loss(empty, torch.ones(1, 2))
    loss.backward()
    assert loss == 0
    assert torch.isfinite(empty.grad).all()


def test_covariance_of_a_part_with_itself_is_that_of_its_standardised_units(part):
    correlation = torch.corrcoef(part.T)
    expected = correlation.square().mean()
    torch.testing.assert_close(covariance_loss(part, part), expected, rtol=1e-3, atol=1e-5)


def test_covariance_sees_a_linear_image_that_the_cosine_misses(part):
    turned = torch.stack([-part[:, 1], part[:, 0], -part[:, 3], part[:, 2]], dim=1)
    other = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    assert cosine_loss(part, turned).item() == pytest.approx(0, abs=1e-6)
    assert covariance_loss(part, turned) > 10 * covariance_loss(part, other)


def test_scale_and_shift_do_not_matter_to_the_covariance(part):
    other = part.flip(1)
    torch.testing.assert_close(
        covariance_loss(part, other), covariance_loss(3 * part + 1, other), rtol=1e-3, atol=1e-6
    )
