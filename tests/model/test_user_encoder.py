import pytest
import torch
from torch.nn import functional

from recsys.model.user_encoder import ENCODERS, RecencyEncoder, UserEncoder

NEWS = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=sorted(ENCODERS))
def encoder(request):
    torch.manual_seed(1)
    return UserEncoder(8, kind=request.param, heads=2, hidden=5, dropout=0.5).eval()


def encode(encoder, rows, *, padding=0):
    history = torch.tensor([[0] * padding + rows])
    mask = torch.tensor([[False] * padding + [True] * len(rows)])
    return encoder(NEWS, history, mask)[0]


def test_left_padding_changes_nothing(encoder):
    torch.testing.assert_close(encode(encoder, [2, 5, 1]), encode(encoder, [2, 5, 1], padding=3))


def test_empty_history_is_zero(encoder):
    assert (encode(encoder, [], padding=2) == 0).all()


def test_gradients_are_finite_with_an_empty_history_in_the_batch(encoder):
    mask = torch.tensor([[True, True], [False, False]])
    encoder.train()(NEWS, torch.tensor([[1, 2], [0, 0]]), mask).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_order_matters_to_recency_and_not_to_nrms():
    torch.manual_seed(1)
    nrms, recency = (UserEncoder(8, kind=k, heads=2, hidden=5).eval() for k in ("nrms", "recency"))
    torch.testing.assert_close(encode(nrms, [1, 2, 3]), encode(nrms, [3, 1, 2]))
    assert not torch.allclose(encode(recency, [1, 2, 3]), encode(recency, [3, 1, 2]))


def test_recency_weights_fall_by_the_slope_from_click_to_click():
    encoder = RecencyEncoder(8, heads=2, hidden=5, dropout=0.0).eval()
    weights = encoder._weights(torch.zeros(1, 3, 2), torch.ones(1, 3, dtype=torch.bool))
    ratio = torch.exp(-functional.softplus(encoder.slopes))
    torch.testing.assert_close(weights[0, 1] / weights[0, 2], ratio)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 2))


def test_the_newest_click_is_never_dropped_in_training():
    encoder = RecencyEncoder(8, heads=2, hidden=5, dropout=0.9).train()
    mask = torch.tensor([[False, True, True, True]] * 50)
    assert (encoder._weights(torch.zeros(50, 4, 2), mask)[:, 3] > 0).all()


def test_an_untrained_recency_encoder_is_the_normalised_mean():
    encoder = RecencyEncoder(8, heads=2, hidden=5, dropout=0.0).eval()
    vector = encode(UserEncoder(8, heads=2, hidden=5), [4])
    torch.testing.assert_close(vector, functional.layer_norm(NEWS[4], (8,)))
    assert encoder.join.weight.equal(torch.eye(8))
