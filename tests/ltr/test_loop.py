import numpy as np
import pytest
import torch

from recsys.ltr.loop import LoopConfig, adam, train
from recsys.ltr.methods import METHODS
from tests.ltr.methods.world import setup, source


def parameters(name="dla", steps=20):
    method = METHODS[name](setup())
    train(method, source().batches(32, np.random.default_rng(0)), LoopConfig(steps=steps))
    return [p.detach().clone() for p in method.parameters()]


def test_the_same_seed_gives_the_same_ranker():
    assert all(torch.equal(a, b) for a, b in zip(parameters(), parameters(), strict=True))


def test_the_optimiser_keeps_its_state_for_the_whole_training():
    method = METHODS["dla"](setup())
    kept = []
    original = torch.optim.Adam.step

    def step(self, *args, **kwargs):
        kept.append(self)
        return original(self, *args, **kwargs)

    torch.optim.Adam.step = step
    try:
        train(method, source().batches(32, np.random.default_rng(0)), LoopConfig(steps=7))
    finally:
        torch.optim.Adam.step = original
    assert len(kept) == 7 and len(set(map(id, kept))) == 1
    assert all(state["step"] == 7 for state in kept[0].state.values())


def test_the_click_model_has_a_step_size_of_its_own():
    settings = LoopConfig(rate=1e-3, click_rate=5e-2)
    rates = [group["lr"] for group in adam(METHODS["dla"](setup()), settings).param_groups]
    assert rates == [1e-3, 5e-2]
    assert len(adam(METHODS["naive"](setup()), settings).param_groups) == 1


def test_every_step_is_reported():
    seen = []
    method = METHODS["naive"](setup())
    train(method, source().batches(8, np.random.default_rng(0)), LoopConfig(steps=3), seen.append)
    assert seen == [1, 2, 3]


def test_the_loss_of_true_labels_falls():
    method = METHODS["true-labels"](setup())
    given = next(source().batches(512, np.random.default_rng(9)))
    before = method.loss(given).item()
    train(method, source().batches(64, np.random.default_rng(0)), LoopConfig(steps=100))
    assert method.loss(given).item() < before - 0.01
    assert method.loss(given).item() == pytest.approx(method.loss(given).item())
