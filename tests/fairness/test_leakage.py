import numpy as np
import pytest

from recsys.errors import InputError
from recsys.fairness.attackers import QUICK
from recsys.fairness.leakage import Attack, Leakage, LeakageConfig, difference, leakage
from recsys.fairness.target import Target
from tests.fairness.vectors import genders, noise, with_linear_bit, with_xor

LINEAR = LeakageConfig(attackers=("logistic regression",), num_samples=300)
FEW = LeakageConfig(attackers=QUICK, num_samples=100)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_random_vectors_give_one_half_within_the_interval(rng):
    best = leakage(noise(rng), genders(rng), rng=rng).best
    assert best.low < 0.5 < best.high
    assert best.leakage < 0.6


def test_intervals_cover_one_half_as_often_as_they_say():
    """The best of two attackers' interval, on vectors that know nothing."""
    config = LeakageConfig(attackers=("logistic regression", "RBF SVM"), num_samples=200)
    covered = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        best = leakage(noise(rng, 150, 4), genders(rng, 150), rng=rng, config=config).best
        covered.append(best.low <= 0.5 <= best.high)
    assert np.mean(covered) > 0.9


def test_planted_bit_is_caught(rng):
    values = genders(rng)
    best = leakage(with_linear_bit(noise(rng), values), values, rng=rng, config=FEW).best
    assert 0.9 < best.low < best.high <= 1


def test_planted_exclusive_or_is_caught(rng):
    values = genders(rng)
    vectors = with_xor(noise(rng, dim=64), values, rng)
    found = leakage(vectors, values, rng=rng, config=LeakageConfig(attackers=QUICK))
    assert found.best.attacker == "neural network"
    assert found.best.low > 0.9


def test_dealing_the_attribute_out_again_hides_it(rng):
    values = genders(rng)
    vectors = with_linear_bit(noise(rng), values)
    best = leakage(vectors, list(rng.permutation(values)), rng=rng, config=LINEAR).best
    assert best.low < 0.5 < best.high


def test_more_than_two_values_are_averaged(rng):
    ages = [str(age) for age in rng.integers(3, size=900)]
    vectors = noise(rng, 900)
    vectors[:, 0] += 4.0 * (
        np.array(ages) == "2"
    )  # two of three values stay hidden from each other
    best = leakage(vectors, ages, rng=rng, config=LINEAR).best
    assert 0.75 < best.auc < 0.95


def test_vectors_that_are_all_alike_give_nothing_away_and_no_warning(rng):
    found = leakage(np.full((200, 8), 0.5, np.float16), genders(rng, 200), rng=rng, config=FEW)
    assert {attack.auc for attack in found.attacks} == {0.5}


def test_few_readers_make_no_warning(rng):
    found = leakage(noise(rng, 60), ["F", "M"] * 30, rng=rng, config=FEW)
    assert len(found.attacks) == len(QUICK)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_an_error_of_one_line(rng, number):
    vectors = noise(rng, 200)
    vectors[[3, 3, 7], [2, 4, 0]] = number
    with pytest.raises(InputError, match=r"^vectors of 2 readers hold numbers that are not fin"):
        leakage(vectors, genders(rng, 200), rng=rng, config=FEW)


def test_group_of_five_is_insufficient_data(rng):
    values = ["F"] * 5 + ["M"] * 995
    vectors = with_linear_bit(noise(rng), values)
    found = leakage(vectors, values, rng=rng)
    assert found.best is None
    assert found.too_small == {"F": 5, "M": 995}


def test_small_value_is_left_out_and_named(rng):
    values = [None] * 20 + ["X"] * 5 + genders(rng, 300)
    found = leakage(noise(rng, 325), values, rng=rng, config=LINEAR)
    assert found.too_small == {"X": 5}
    assert found.readers == 300
    assert found.unmeasured == pytest.approx(5 / 305)


def test_a_value_is_attacked_from_the_smallest_number_on():
    values = ["F"] * 30 + ["M"] * 30 + ["X"] * 29
    target = Target.of(values, min_readers=30)
    assert (target.large, target.too_small) == ({"F": 30, "M": 30}, {"X": 29})


def test_readers_without_the_attribute_are_left_out(rng):
    values = [None] * 40 + genders(rng, 300)
    found = leakage(noise(rng, 340), values, rng=rng, config=LINEAR)
    assert (found.missing, found.readers) == (40, 300)


def test_below_one_half_is_as_far_from_chance_as_above():
    attack = Attack("any", 0.38, 0.33, 0.43)
    assert attack.leakage == pytest.approx(0.62)
    assert attack.highest_leakage == pytest.approx(0.67)
    rival = Attack("other", 0.60, 0.55, 0.65)
    assert Leakage([rival, attack], {}).best is attack


def test_same_seed_same_finding(rng):
    vectors, values = noise(rng, 200), genders(rng, 200)
    config = LeakageConfig(attackers=QUICK, num_samples=50)
    findings = [
        leakage(vectors, values, rng=np.random.default_rng(5), config=config) for _ in range(2)
    ]
    assert findings[0] == findings[1]


def test_progress_names_each_attacker(rng):
    done = []
    config = LeakageConfig(attackers=QUICK, num_samples=10)
    leakage(noise(rng, 100), genders(rng, 100), rng=rng, config=config, on_attacker=done.append)
    assert tuple(done) == QUICK


def test_difference_is_paired(rng):
    """A little more of the same leak: the intervals overlap, that of the difference says it."""
    values = genders(rng, 800)
    female = np.array(values) == "F"
    weak, strong = (noise(rng, 800, 4).astype(float) for _ in range(2))
    strong[:] = weak
    weak[:, 0] += 1.0 * female
    strong[:, 0] += 1.6 * female
    found = [
        leakage(each, values, rng=np.random.default_rng(0), config=LINEAR)
        for each in (strong, weak)
    ]
    point, low, high = difference(*found)
    assert point == pytest.approx(found[0].best.leakage - found[1].best.leakage)
    assert 0 < low < point < high
    assert high - low < found[0].best.high - found[0].best.low


def test_difference_is_of_distances_from_one_half_on_the_side_of_each_best_attacker():
    def found(*attackers):
        attacks = [Attack("any", auc, auc, auc) for auc, _ in attackers]
        return Leakage(attacks, {}, samples=np.array([samples for _, samples in attackers]))

    ours = found((0.55, [0.5, 0.5, 0.5]), (0.3, [0.2, 0.3, 0.4]))
    theirs = found((0.6, [0.5, 0.6, 0.7]))
    point, low, high = difference(ours, theirs, level=0.5)
    spread = np.sqrt(1 + 5 / 4) * np.array([-0.2, 0, 0.2])  # .8 - .5, .7 - .6, .6 - .7, less .1
    assert point == pytest.approx(0.7 - 0.6)
    assert (low, high) == pytest.approx(tuple(0.1 + np.quantile(spread, [0.25, 0.75])))


def test_difference_of_a_finding_to_itself_is_nothing(rng):
    found = leakage(noise(rng, 200), genders(rng, 200), rng=rng, config=LINEAR)
    assert difference(found, found) == (0, 0, 0)


def test_no_difference_without_data(rng):
    found = leakage(noise(rng, 200), genders(rng, 200), rng=rng, config=LINEAR)
    assert difference(found, Leakage([], {})) is None
