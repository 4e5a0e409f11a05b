import torch

from recsys.model.attribute_heads import AttributeHeads


def test_there_is_one_classifier_for_each_attribute():
    guesses = AttributeHeads(8, [2, 5], hidden=(4,))(torch.randn(3, 8))
    assert [tuple(guess.shape) for guess in guesses] == [(3, 2), (3, 5)]


def test_without_hidden_layers_it_is_the_papers_linear_one():
    heads = AttributeHeads(8, [2])
    readers = torch.randn(3, 8)
    (linear,) = heads.heads[0]
    torch.testing.assert_close(heads(readers)[0], readers @ linear.weight.T + linear.bias)


def test_restart_forgets():
    heads = AttributeHeads(8, [2], hidden=(4,))
    before = [p.clone() for p in heads.parameters()]
    heads.restart()
    assert not any(torch.equal(a, b) for a, b in zip(before, heads.parameters(), strict=True))
