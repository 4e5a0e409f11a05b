import pytest
import torch
from torch import nn

from recsys.training.averaging import RunningMean


@pytest.fixture
def model():
    return nn.Linear(2, 1, bias=False)


def put(model, value):
    with torch.no_grad():
        model.weight.fill_(value)


def held(mean, model):
    with mean.in_place():
        return model.weight[0, 0].item()


def test_a_mean_of_few_steps_counts_all_alike(model):
    mean = RunningMean(model, steps=10)
    for value in (1.0, 2.0, 6.0):
        put(model, value)
        mean.update()
    assert held(mean, model) == pytest.approx(3.0)


def test_after_many_steps_what_is_older_fades(model):
    mean = RunningMean(model, steps=2)
    for value in (8.0, 4.0, 0.0):
        put(model, value)
        mean.update()
    assert held(mean, model) == pytest.approx((8 + 4) / 2 / 2)


def test_the_model_gets_its_own_weights_back_also_after_an_error(model):
    mean = RunningMean(model, steps=10)
    put(model, 5.0)
    with pytest.raises(RuntimeError), mean.in_place():
        raise RuntimeError
    assert (model.weight == 5).all()


def test_one_step_is_the_newest_weights_and_keeps_no_copy(model):
    mean = RunningMean(model, steps=1)
    for value in (1.0, 2.0):
        put(model, value)
        mean.update()
    assert held(mean, model) == 2.0
    assert mean.state_dict()["mean"] == []


def test_a_mean_goes_on_from_its_state(model):
    first = RunningMean(model, steps=10)
    put(model, 1.0)
    first.update()
    second = RunningMean(nn.Linear(2, 1, bias=False), steps=10)
    second.load_state_dict(first.state_dict())
    again = RunningMean(model, steps=10)
    again.load_state_dict(second.state_dict())
    put(model, 3.0)
    again.update()
    assert held(again, model) == pytest.approx(2.0)
