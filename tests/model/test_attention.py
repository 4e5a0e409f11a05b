import pytest
import torch

from recsys.model.attention import AdditiveAttention, SelfAttention, SequenceEncoder

MASK = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])
INDEX = torch.tensor([[3, 1, 0], [2, 2, 4], [0, 0, 0]])


@pytest.fixture
def table():
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return SequenceEncoder(6, 8, heads=2, hidden=3)


def test_additive_attention_of_one_row_is_that_row():
    row = torch.randn(2, 1, 4)
    pooled = AdditiveAttention(4, 3)(row, torch.ones(2, 1, dtype=torch.bool))
    torch.testing.assert_close(pooled, row[:, 0])


def test_self_attention_is_softmax_of_scaled_dot_products(table):
    attention = SelfAttention(6, 4, heads=1)
    index, mask = torch.tensor([[0, 3]]), torch.ones(1, 2, dtype=torch.bool)
    query, key, value = (table[[0, 3]] @ attention.project.weight.T).chunk(3, dim=1)
    expected = (query @ key.T / 4**0.5).softmax(dim=1) @ value
    torch.testing.assert_close(attention(table, index, mask)[0], expected)


def test_padding_changes_nothing(encoder, table):
    short = encoder(table, INDEX[:1, :2], MASK[:1, :2])
    torch.testing.assert_close(encoder(table, INDEX[:1], MASK[:1]), short)


def test_order_of_the_table_does_not_matter(encoder, table):
    order = torch.tensor([4, 2, 0, 1, 3])
    shuffled = encoder(table[order], order.argsort()[INDEX], MASK)
    torch.testing.assert_close(encoder(table, INDEX, MASK), shuffled)


def test_empty_sequence_is_zero_with_finite_gradients(encoder, table):
    table.requires_grad_()
    encoded = encoder(table, INDEX, MASK)
    encoded.sum().backward()
    assert (encoded[2] == 0).all()
    assert torch.isfinite(table.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_rows_that_do_not_occur_get_no_gradient(encoder, table):
    table.requires_grad_()
    encoder(table, INDEX[:1], MASK[:1]).sum().backward()
    assert (table.grad[[0, 2, 4]] == 0).all()
    assert (table.grad[[1, 3]] != 0).any(dim=1).all()
