from math import exp

import pytest
import torch

from recsys.training.pressure import LARGEST, SMALLEST, Pressure

READERS = 600


def drawn(seed, shift):
    """Vectors of readers, some of whom are shifted, and how likely each is one of these."""
    generator = torch.Generator().manual_seed(seed)
    group = (torch.rand(READERS, 1, generator=generator) < 0.4).float()
    return torch.randn(READERS, 4, generator=generator) + shift * group, 0.3 + 0.4 * group


def followed(leakage, epochs=60, **settings):
    """The weight after as many epochs in which attackers find as much."""
    pressure = Pressure([1], **{"weight": 0.2, "leakage": 0.55, "rate": 0.05, **settings})
    for _ in range(epochs):
        pressure.follow([leakage])
    return float(pressure.weight)


def test_the_weight_grows_while_more_is_found_than_is_allowed():
    assert followed(0.8, epochs=20) == pytest.approx(0.2 * exp(20 * 0.05))
    assert 0.2 < followed(0.551) < followed(0.56) < followed(0.8)


def test_the_weight_falls_while_less_is_found():
    assert followed(0.5, epochs=10) == pytest.approx(0.2 * exp(-10 * 0.05))


def test_the_weight_turns_as_soon_as_leakage_does():
    pressure = Pressure([1], weight=0.2, leakage=0.55, rate=0.05)
    for _ in range(30):
        pressure.follow([0.9])
    highest = float(pressure.weight)
    pressure.follow([0.54])
    assert pressure.weight < highest


def test_the_weight_stays_where_it_is_at_what_is_allowed_and_without_a_rate():
    assert followed(0.55) == pytest.approx(0.2)
    assert followed(0.8, rate=0.0) == pytest.approx(0.2)


def test_the_weight_stays_within_limits():
    assert followed(0.9, epochs=200) == LARGEST
    assert followed(0.5, epochs=200) == pytest.approx(SMALLEST)


@pytest.mark.parametrize(("leakage", "weight"), [(0.9, 50.0), (0.5, 0.001)])
def test_a_weight_that_starts_beyond_the_limits_stays_where_it_starts(leakage, weight):
    assert followed(leakage, weight=weight) == pytest.approx(weight)


def test_each_attribute_has_its_own_weight():
    pressure = Pressure([2, 3], weight=0.2, leakage=0.55, rate=0.05)
    pressure.follow([0.6, 0.5])
    told, hidden = pressure.weight.tolist()
    assert told > 0.2 > hidden


def test_a_group_counts_as_one_of_its_attribute():
    vectors, told = drawn(0, 1.0)
    nobody = torch.full((READERS, 1), 0.5)
    alone, among = (
        Pressure([groups], weight=1.0, leakage=0.55, rate=0.0)(vectors, beliefs)
        for groups, beliefs in ((1, told), (4, torch.cat([told, nobody, nobody, nobody], dim=1)))
    )
    assert alone > 0.1
    torch.testing.assert_close(among, alone / 4)


def test_the_weight_is_part_of_the_state_that_a_checkpoint_keeps():
    state = Pressure([1], weight=0.1, leakage=0.6, rate=0.1).state_dict()
    assert set(state) == {"weight"}


def test_attackers_who_are_wrong_cost_nothing_and_earn_nothing():
    pressure = Pressure([1], weight=1.0, leakage=0.55, rate=0.0)
    torch.manual_seed(0)
    coins = (torch.rand(20, READERS, 1) < 0.5).float()
    vectors = torch.randn(READERS, 4)
    charges = torch.stack([pressure(vectors, coin) for coin in coins])
    assert (charges == 0).any()
    assert (charges >= 0).all()
