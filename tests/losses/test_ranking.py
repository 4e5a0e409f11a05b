import math

import pytest
import torch
from jaxtyping import TypeCheckError

from recsys.losses.ranking import softmax_loss

SCORES = torch.tensor([[0.0, 1.0, 2.0]])
CLICKS = torch.tensor([[0.0, 1.0, 0.0]])
ALL = torch.ones(1, 3, dtype=torch.bool)


def test_matches_the_formula_by_hand():
    expected = -math.log(math.e / (1 + math.e + math.e**2))
    assert softmax_loss(SCORES, CLICKS, ALL).item() == pytest.approx(expected)


def test_padding_changes_nothing_and_gets_no_gradient():
    padded = torch.cat([SCORES, torch.tensor([[9.0]])], dim=1).requires_grad_()
    clicks = torch.cat([CLICKS, torch.zeros(1, 1)], dim=1)
    loss = softmax_loss(padded, clicks, torch.tensor([[True, True, True, False]]))
    loss.backward()
    torch.testing.assert_close(loss, softmax_loss(SCORES, CLICKS, ALL))
    assert padded.grad[0, 3] == 0


def test_weights_scale_their_own_click():
    weights = torch.tensor([[5.0, 2.0, 7.0]])
    weighted = softmax_loss(SCORES, CLICKS, ALL, weights=weights)
    torch.testing.assert_close(weighted, 2 * softmax_loss(SCORES, CLICKS, ALL))


def test_of_several_slates_it_is_the_mean():
    one, other = softmax_loss(SCORES, CLICKS, ALL), softmax_loss(2 * SCORES, CLICKS, ALL)
    both = torch.cat([SCORES, 2 * SCORES]), CLICKS.repeat(2, 1), ALL.repeat(2, 1)
    torch.testing.assert_close(softmax_loss(*both), (one + other) / 2)


def test_a_slate_without_a_click_costs_nothing():
    assert softmax_loss(SCORES, torch.zeros(1, 3), ALL) == 0


def test_further_news_count_as_news_of_the_slate_that_nobody_clicked():
    first, others = SCORES[:, :2], torch.tensor([[2.0, -torch.inf]])
    alone = softmax_loss(first, CLICKS[:, :2], ALL[:, :2], unclicked=others)
    torch.testing.assert_close(alone, softmax_loss(SCORES, CLICKS, ALL))


def test_wrong_shape_is_caught_by_the_annotation():
    with pytest.raises(TypeCheckError):
        softmax_loss(SCORES, CLICKS[:, :2], ALL)
