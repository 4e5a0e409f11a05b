import torch

from recsys.model.embeddings import EmbeddingTables
from recsys.training.sharding import plain, restore, shard

NAME = "collection.embeddings.a.weight"


def placed_tables(cpu):
    torch.manual_seed(0)
    return shard(EmbeddingTables({"a": 5}, 4), learning_rate=0.1, device=cpu)


def test_placing_keeps_the_weights(group, cpu):
    torch.manual_seed(0)
    before = EmbeddingTables({"a": 5}, 4).state_dict()[NAME]
    assert plain(placed_tables(cpu).state_dict())[NAME].equal(before)


def test_backward_updates_the_rows_that_were_looked_up_and_no_others(group, cpu):
    tables = placed_tables(cpu)
    before = plain(tables.state_dict())[NAME]
    tables({"a": torch.tensor([1, 3])})["a"].sum().backward()
    changed = (plain(tables.state_dict())[NAME] != before).any(dim=1)
    assert changed.tolist() == [False, True, False, True, False]


def test_the_update_is_row_wise_adagrad(group, cpu):
    tables = placed_tables(cpu)
    before = plain(tables.state_dict())[NAME][1]
    gradient = torch.tensor([[1.0, -2.0, 0.5, 0.0]])
    tables({"a": torch.tensor([1])})["a"].backward(gradient)
    after = plain(tables.state_dict())[NAME][1]
    expected = before - 0.1 * gradient[0] / gradient.square().mean().sqrt()
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)


def test_restored_weights_are_what_was_copied(group, cpu):
    tables = placed_tables(cpu)
    weights = plain(tables.state_dict())
    tables({"a": torch.tensor([1, 3])})["a"].sum().backward()
    restore(tables, weights)
    assert plain(tables.state_dict())[NAME].equal(weights[NAME])
