import math

import pytest
import torch

from recsys.losses.adversarial import attribute_loss, confusion_loss

LOGITS = torch.tensor([[0.0, 1.0], [3.0, -3.0]])
FIRST = torch.tensor([True, False])
NOBODY = torch.tensor([False, False])


def test_attribute_loss_is_the_cross_entropy_of_known_readers():
    loss = attribute_loss(LOGITS, torch.tensor([1, 1]), FIRST)
    assert loss.item() == pytest.approx(math.log(1 + math.e) - 1)


def test_confusion_is_least_at_the_uniform_guess():
    uniform = confusion_loss(torch.zeros(2, 2), torch.tensor([True, True]))
    assert uniform.item() == pytest.approx(math.log(2))
    assert confusion_loss(LOGITS, torch.tensor([True, True])) > uniform


@pytest.mark.parametrize("known", [FIRST, NOBODY])
def test_unknown_readers_get_no_gradient(known):
    logits = LOGITS.clone().requires_grad_()
    (attribute_loss(logits, torch.tensor([0, 0]), known) + confusion_loss(logits, known)).backward()
    assert (logits.grad[~known] == 0).all()
    assert (logits.grad[known] != 0).all()
