import pytest
import torch

from recsys.evaluation.click import spearman
from recsys.ltr.batches import Batch
from recsys.ltr.methods import METHODS
from recsys.ltr.methods.listwise import DualLearning, InversePropensity
from tests.ltr.methods.world import CURVE, LENGTH, setup, trained


def one_session(clicks):
    """One list whose documents all have the same features, hence the same score."""
    return Batch(
        torch.ones(1, LENGTH, 3),
        torch.tensor([clicks]),
        torch.arange(LENGTH)[None],
        torch.ones(1, LENGTH, dtype=torch.bool),
    )


def test_ips_weighs_a_click_by_one_over_examination():
    built = setup()
    loss = InversePropensity(built, built.known()).loss(one_session([0.0, 0, 1, 0, 0]))
    assert loss.item() == pytest.approx(torch.tensor(5.0).log().item() / CURVE[2], rel=1e-5)


def test_ips_clips():
    built = setup(max_weight=2.0)
    loss = InversePropensity(built, built.known()).loss(one_session([0.0, 0, 0, 0, 1]))
    assert loss.item() == pytest.approx(2 * torch.tensor(5.0).log().item(), rel=1e-5)


def test_dual_learning_matches_its_formula():
    method = DualLearning(setup())
    with torch.no_grad():
        method.logits.copy_(torch.tensor([1.0, 0.0, -1.0, 0.0, 0.0]))
    loss = method.loss(one_session([0.0, 1.0, 0, 0, 0]))
    looks = method.logits.softmax(0)
    expected = -(looks[0] / looks[1]) * torch.tensor(1 / 5).log() - looks[1].log()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_dual_learning_clips_both_weights():
    method = DualLearning(setup(max_weight=1.5))
    with torch.no_grad():
        method.logits.copy_(torch.tensor([5.0, 0.0, 0.0, 0.0, 0.0]))
    loss = method.loss(one_session([0.0, 1.0, 0, 0, 0]))
    expected = -1.5 * torch.tensor(1 / 5).log() - method.logits.log_softmax(0)[1]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_dual_learning_finds_the_examination_curve():
    curve = trained("dla", steps=600).examination().numpy()
    assert curve == pytest.approx(CURVE, rel=0.25)
    assert spearman(curve.astype(float), CURVE) == 1.0


def test_weights_carry_no_gradient():
    method = METHODS["dla"](setup())
    method.loss(one_session([0.0, 1.0, 0, 0, 0])).backward()
    seen = method.logits.softmax(0)
    expected = seen - torch.nn.functional.one_hot(torch.tensor(1), LENGTH)
    assert torch.allclose(method.logits.grad, expected, atol=1e-5)
