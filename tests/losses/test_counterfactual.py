import pytest
import torch

from recsys.losses.counterfactual import doubly_robust, ips, snips

CLICKS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
WEIGHTS = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
MASK = torch.ones(2, 3, dtype=torch.bool)


def test_ips_multiplies_each_click_by_its_weight():
    assert torch.equal(ips(CLICKS, WEIGHTS), torch.tensor([[1.0, 0, 4], [0, 2, 0]]))


def test_snips_gives_clicks_a_mean_weight_of_one():
    gains = snips(CLICKS, WEIGHTS)
    assert gains.sum().item() == pytest.approx(CLICKS.sum().item())
    assert (gains[0, 2] / gains[0, 0]).item() == pytest.approx(4.0)


def test_snips_does_not_see_the_scale_of_the_weights():
    assert torch.allclose(snips(CLICKS, 100 * WEIGHTS), snips(CLICKS, WEIGHTS))


def test_snips_without_a_click_is_zero_and_finite():
    assert torch.equal(snips(torch.zeros(2, 3), WEIGHTS), torch.zeros(2, 3))


def test_doubly_robust_with_imputation_zero_is_ips():
    gains = doubly_robust(CLICKS, WEIGHTS, 1 / WEIGHTS, torch.zeros(2, 3), MASK)
    assert torch.allclose(gains, ips(CLICKS, WEIGHTS))


def test_doubly_robust_leaves_padding_at_zero():
    mask = MASK.clone()
    mask[:, 2] = False
    gains = doubly_robust(CLICKS, WEIGHTS, 1 / WEIGHTS, torch.full((2, 3), 0.5), mask)
    assert torch.equal(gains[:, 2], torch.zeros(2))


def test_doubly_robust_sends_no_gradient_into_the_imputation():
    imputed = torch.full((2, 3), 0.5, requires_grad=True)
    assert not doubly_robust(CLICKS, WEIGHTS, 1 / WEIGHTS, imputed, MASK).requires_grad


@pytest.fixture(scope="module")
def log():
    """Many slates of three news whose relevance and examination are known."""
    relevance = torch.tensor([0.2, 0.5, 0.8]).expand(200_000, 3)
    examined = torch.tensor([1.0, 0.5, 0.25]).expand(200_000, 3)
    draw = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(0))
    return (draw < relevance * examined).float(), relevance, examined


def all_of(clicks):
    return torch.ones_like(clicks, dtype=torch.bool)


def test_ips_recovers_relevance_where_clicks_do_not(log):
    clicks, relevance, examined = log
    assert torch.allclose(ips(clicks, 1 / examined).mean(0), relevance[0], atol=0.01)
    assert not torch.allclose(clicks.mean(0), relevance[0], atol=0.1)


def test_doubly_robust_recovers_relevance_with_a_wrong_imputation(log):
    clicks, relevance, examined = log
    wrong = torch.full_like(clicks, 0.9)
    gains = doubly_robust(clicks, 1 / examined, examined, wrong, all_of(clicks))
    assert torch.allclose(gains.mean(0), relevance[0], atol=0.01)


def test_doubly_robust_recovers_relevance_with_clipped_weights_where_ips_does_not(log):
    clicks, relevance, examined = log
    clipped = 1 / examined.clamp_min(0.5)
    gains = doubly_robust(clicks, clipped, examined, relevance, all_of(clicks))
    assert torch.allclose(gains.mean(0), relevance[0], atol=0.01)
    assert ips(clicks, clipped).mean(0)[2] < relevance[0, 2] - 0.1


def test_doubly_robust_varies_less_than_ips_when_the_imputation_is_right(log):
    clicks, relevance, examined = log
    gains = doubly_robust(clicks, 1 / examined, examined, relevance, all_of(clicks))
    assert (gains.var(0) <= ips(clicks, 1 / examined).var(0)).all()


def test_clipped_weights_keep_doubly_robust_gains_above_zero(log):
    clicks, relevance, examined = log
    clipped = 1 / examined.clamp_min(0.4)
    assert (doubly_robust(clicks, clipped, examined, relevance, all_of(clicks)) >= 0).all()
