import numpy as np
import pytest
import torch

from recsys.errors import InputError
from recsys.ltr import rankers
from recsys.ltr.rankers import Ranker, score


def test_without_hidden_layers_the_score_is_linear():
    ranker = Ranker(3)
    features = torch.randn(5, 3)
    layer = ranker.layers[0]
    assert torch.allclose(ranker(features), features @ layer.weight[0] + layer.bias)


def test_lists_keep_their_shape():
    assert Ranker(4, (8, 8))(torch.randn(2, 7, 4)).shape == (2, 7)


def test_scores_do_not_depend_on_the_part_size(monkeypatch):
    ranker = Ranker(3, (5,))
    features = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    whole = score(ranker, features)
    monkeypatch.setattr(rankers, "SCORE_ROWS", 3)
    assert score(ranker, features) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_no_ranking(value):
    features = np.array([[0.0], [value]], dtype=np.float32)
    with pytest.raises(InputError, match=r"scores are not finite; expected finite features"):
        score(Ranker(1), features)
