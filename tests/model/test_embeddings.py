import pytest
import torch

from recsys.model.embeddings import EmbeddingTables, distinct


@pytest.fixture
def tables():
    torch.manual_seed(0)
    return EmbeddingTables({"a": 4, "b": 7}, 3)


def test_each_table_answers_its_own_rows(tables):
    rows = {"a": torch.tensor([2]), "b": torch.tensor([6, 0, 3])}
    found = tables(rows)
    weights = {name: tables.collection.embeddings[name].weight for name in rows}
    for name, wanted in rows.items():
        torch.testing.assert_close(found[name], weights[name][wanted])


def test_initial_values_stay_within_their_bound(tables):
    for table in tables.collection.embeddings.values():
        assert table.weight.abs().max() <= 3**-0.5


def test_distinct_rows_rebuild_what_was_asked_for():
    rows = torch.tensor([[5, 2], [2, 9]])
    values, index = distinct(rows)
    assert values.tolist() == [2, 5, 9]
    assert values[index].equal(rows)
