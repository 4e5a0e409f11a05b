import pytest
import torch

from recsys.training.ratings.factorisation import Factorisation, FactorisationConfig
from recsys.training.ratings.imputation import Imputation, cross_fit
from recsys.training.ratings.loop import Loop, LoopConfig, Ratings

SHAPE = (20, 30)


def ratings():
    """Even readers like every news, odd ones none."""
    readers = torch.arange(20).repeat_interleave(30)
    return Ratings(readers, torch.arange(30).repeat(20), 1.0 - readers % 2, torch.ones(600))


def fitted(data, parts=3, penalty=1e-3):
    generator = torch.Generator().manual_seed(0)
    config = LoopConfig(max_epochs=20, batch=100)
    return cross_fit(
        lambda: Factorisation(SHAPE, FactorisationConfig(dim=2), generator),
        data,
        Loop(config, SHAPE, generator),
        penalty=penalty,
        parts=parts,
    )


def test_no_rating_is_predicted_by_a_model_that_has_seen_it():
    honest, flipped = ratings(), ratings()
    flipped.labels[7] = 1 - flipped.labels[7]
    before, after = fitted(honest).out_of_fold, fitted(flipped).out_of_fold
    assert before[7] == after[7]
    assert not torch.equal(before, after)


def test_what_was_left_out_is_predicted():
    data = ratings()
    found = fitted(data)
    assert len(found.models) == 3
    assert bool(((found.out_of_fold > 0) == (data.labels > 0)).all())
    assert found.loss(data.labels) < 0.1


def test_a_pair_is_scored_by_the_mean_probability():
    found = fitted(ratings(), penalty=0.1)
    pairs = torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5])
    mean = sum(model.predict(*pairs).sigmoid() for model in found.models) / 3
    assert torch.allclose(found.predict(*pairs), (mean / (1 - mean)).log(), atol=1e-5)


def test_the_loss_is_that_of_the_ratings_left_out():
    found = Imputation([], torch.tensor([0.0, 2.0]))
    right = torch.tensor(2.0).sigmoid()
    expected = -(torch.tensor(0.5).log() + right.log()) / 2
    assert found.loss(torch.tensor([0.0, 1.0])) == pytest.approx(expected.item())
