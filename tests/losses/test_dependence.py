import pytest
import torch

from recsys.losses.dependence import KernelRidgeAttacker

READERS, DIM = 1000, 5


def draw(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, readers=READERS):
    return torch.randn(readers, DIM, generator=draw(seed))


def coin(seed, readers=READERS):
    return (torch.rand(readers, 1, generator=draw(1000 + seed)) < 0.5).float()


def attack(world, batches=8, groups=1):
    """Let an attacker see batches of a world; return what it explains and finds in the last."""
    attacker = KernelRidgeAttacker(DIM, groups, generator=draw(0))
    for seed in range(batches):
        explained, found = attacker(*world(seed))
    return explained, found


def explained(world, **settings):
    return float(attack(world, **settings)[0].mean())


def shifted(shift):
    return lambda seed: (normal(seed) + shift * coin(seed), coin(seed))


CHANCE = 0.05


def test_a_coin_is_not_explained_once_enough_readers_were_seen():
    one, many = (explained(shifted(0.0), batches=n) for n in (1, 20))
    assert many < CHANCE < one  # what one batch alone explains is chance


def test_a_shifted_group_costs_more_the_further_it_is():
    near, far = (explained(shifted(s)) for s in (0.5, 1.5))
    assert 0 < near + 0.1 < far


def test_a_group_that_differs_in_spread_alone_is_seen():
    found = explained(lambda seed: (normal(seed) * (1 + 2 * coin(seed)), coin(seed)))
    assert found > CHANCE + 0.1


def test_a_group_told_by_the_product_of_two_units_is_seen():
    def world(seed):
        vectors = normal(seed)
        return vectors, (vectors[:, :1] * vectors[:, 1:2] > 0).float()

    assert explained(world) > CHANCE + 0.1


def test_a_linear_trace_is_explained_as_by_ridge_regression():
    found = explained(lambda seed: (normal(seed), torch.sigmoid(normal(seed)[:, :1])))
    assert found == pytest.approx(1, abs=0.15)


def test_beliefs_half_as_strong_cost_the_same():
    half = explained(lambda seed: (normal(seed) + coin(seed), 0.25 + coin(seed) / 2))
    assert half == pytest.approx(explained(shifted(1.0)), rel=1e-4)


def test_each_group_is_charged_for_what_is_found_of_it():
    def world(seed):
        both = torch.cat([coin(seed), coin(100 + seed)], dim=1)
        return normal(seed) + coin(seed), both

    told, hidden = attack(world, groups=2)[0].tolist()
    assert told > 0.2
    assert hidden < CHANCE


def test_one_belief_about_everybody_costs_nothing_with_finite_gradients():
    vectors = normal(0).requires_grad_()
    nothing, _ = KernelRidgeAttacker(DIM, 2)(vectors, torch.full((READERS, 2), 0.5))
    nothing.sum().backward()
    assert (nothing == 0).all()
    assert torch.isfinite(vectors.grad).all()


def test_scale_and_shift_hide_nothing():
    moved = explained(lambda seed: (0.01 * (normal(seed) + coin(seed)) - 3, coin(seed)))
    assert moved == pytest.approx(explained(shifted(1.0)), rel=0.1)


def test_following_the_gradient_hides_the_group():
    attacker = KernelRidgeAttacker(DIM, 1, generator=draw(0))
    away = torch.zeros(DIM, requires_grad=True)
    for seed in range(150):
        group = coin(seed)
        cost, _ = attacker(normal(seed) + group * (1 + away), group)
        cost.sum().backward()
        away = (away - 0.2 * away.grad).detach().requires_grad_()
    assert float((1 + away).detach().abs().max()) < 0.25


def test_what_is_found_in_readers_not_known_is_nothing_in_the_mean_for_a_coin():
    found = torch.stack([attack(lambda s, n=n: shifted(0.0)(50 * n + s))[1] for n in range(20)])
    assert abs(float(found.mean())) < 3 * float(found.std()) / 20**0.5
    assert (found < 0).any()


def test_what_is_found_in_readers_not_known_is_what_the_vectors_tell():
    assert float(attack(shifted(3.0))[1] / 0.25) == pytest.approx(1, abs=0.25)


def test_a_forgetful_attacker_starts_anew_with_other_features():
    attacker = KernelRidgeAttacker(DIM, 1, generator=draw(0))
    before = attacker.waves.clone()
    attacker(normal(0), coin(0))
    attacker.forget(generator=draw(1))
    assert attacker.batches == 0
    assert not attacker.covariance.any()
    assert not torch.equal(attacker.waves, before)
