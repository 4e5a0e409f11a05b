import pytest
import torch
from scipy.stats import norm

from recsys.training.pressure import LARGEST, SMALLEST, STRICTEST, Pressure, allowed

READERS = 600


def drawn(seed, shift):
    """Vectors of readers, some of whom are shifted, and how likely each is one of these."""
    generator = torch.Generator().manual_seed(seed)
    group = (torch.rand(READERS, 1, generator=generator) < 0.4).float()
    return torch.randn(READERS, 4, generator=generator) + shift * group, 0.3 + 0.4 * group


def pressed(shift, steps=60, **settings):
    torch.manual_seed(0)
    pressure = Pressure(1, **{"weight": 0.1, "leakage": 0.55, "rate": 0.05, **settings})
    for seed in range(steps):
        pressure(*drawn(seed, shift))
    return float(pressure.weight)


def test_the_weight_grows_while_readers_are_told_apart():
    assert pressed(shift=1.0) > 1.0


def test_the_weight_falls_while_nothing_is_found():
    assert pressed(shift=0.0) < 0.05


def test_the_weight_stays_where_it_is_without_a_rate():
    assert pressed(shift=1.0, rate=0.0) == pytest.approx(0.1)


def test_the_weight_stays_within_limits():
    assert pressed(shift=3.0, steps=200) == LARGEST
    assert pressed(shift=0.0, steps=200) == pytest.approx(SMALLEST)


@pytest.mark.parametrize(("shift", "weight"), [(3.0, 50.0), (0.0, 0.001)])
def test_a_weight_that_starts_beyond_the_limits_stays_where_it_starts(shift, weight):
    assert pressed(shift=shift, weight=weight) == pytest.approx(weight)


def test_each_group_has_its_own_weight():
    torch.manual_seed(0)
    pressure = Pressure(2, weight=0.1, leakage=0.55, rate=0.05)
    for seed in range(60):
        vectors, group = drawn(seed, 1.0)
        other = torch.rand(READERS, 1, generator=torch.Generator().manual_seed(1000 + seed))
        pressure(vectors, torch.cat([group, (other < 0.5).float()], dim=1))
    told, hidden = pressure.weight.tolist()
    assert told > 10 * hidden


def test_the_weight_is_part_of_the_state_that_a_checkpoint_keeps():
    state = Pressure(1, weight=0.1, leakage=0.6, rate=0.1).state_dict()
    assert {"weight", "excess", "strictness"} == set(state)


def test_what_stronger_attackers_find_moves_the_bound_within_limits():
    pressure = Pressure(1, weight=0.1, leakage=0.55, rate=0.1)
    pressure.correct(0.60)
    assert pressure.strictness == 2
    pressure.correct(0.56)
    assert 2 < pressure.strictness < 4
    for _ in range(20):
        pressure.correct(0.5)
    assert pressure.strictness == 1 / STRICTEST
    for _ in range(20):
        pressure.correct(0.9)
    assert pressure.strictness == STRICTEST


@pytest.mark.parametrize("auc", [0.53, 0.6, 0.8])
def test_what_is_allowed_is_what_scores_of_that_auc_explain(auc):
    generator = torch.Generator().manual_seed(0)
    group = (torch.rand(400_000, generator=generator) < 0.3).double()
    distance = 2**0.5 * norm.ppf(auc)
    scores = torch.randn(400_000, generator=generator).double() + distance * group
    explained = torch.corrcoef(torch.stack([scores, group]))[0, 1] ** 2
    variance = group.mean() * (1 - group.mean())
    assert float(allowed(auc, variance)) == pytest.approx(float(explained), rel=0.1)


def test_attackers_who_are_wrong_cost_nothing_and_earn_nothing():
    pressure = Pressure(1, weight=1.0, leakage=0.55, rate=0.0)
    torch.manual_seed(0)
    coins = (torch.rand(20, READERS, 1) < 0.5).float()
    vectors = torch.randn(READERS, 4)
    charges = torch.stack([pressure(vectors, coin) for coin in coins])
    assert (charges == 0).any()
    assert (charges >= 0).all()
