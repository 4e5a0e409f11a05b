import numpy as np
import pytest

from recsys.evaluation import slates

EXAMINED = np.array([0.9, 0.4])
ATTRACTION = np.array([0.2, 0.5, 0.8])  # of three news
OLD = np.array([0.5, 0.3, 0.2])  # of each news, at each position, independently
NEW = np.array([0.1, 0.2, 0.7])


@pytest.fixture(scope="module")
def pbm():
    """A position-based world; both policies fill positions independently."""
    rng = np.random.default_rng(0)
    shown = rng.choice(3, p=OLD, size=(200_000, 2))
    clicks = rng.random(shown.shape) < ATTRACTION[shown] * EXAMINED
    return shown, clicks.astype(float), (NEW / OLD)[shown]


@pytest.fixture(scope="module")
def cascade():
    """Readers go down until their first click; the value is the chance of a click."""
    rng = np.random.default_rng(1)
    shown = rng.choice(3, p=OLD, size=(200_000, 2))
    liked = rng.random(shown.shape) < ATTRACTION[shown]
    clicks = np.column_stack([liked[:, 0], ~liked[:, 0] & liked[:, 1]])
    return shown, clicks.astype(float), (NEW / OLD)[shown]


TRUE_PBM = float((NEW @ ATTRACTION) * EXAMINED.sum())
TRUE_CASCADE = 1 - (1 - float(NEW @ ATTRACTION)) ** 2


@pytest.mark.parametrize(
    "estimator",
    [
        slates.slate_ips,
        slates.reward_interaction_ips,
        slates.reward_interaction_snips,
    ],
)
def test_every_estimator_is_right_under_the_position_based_model(pbm, estimator):
    _, clicks, weights = pbm
    assert estimator(clicks, weights).value == pytest.approx(TRUE_PBM, abs=0.03)


@pytest.mark.parametrize(
    "estimator",
    [slates.slate_ips, slates.reward_interaction_ips, slates.reward_interaction_snips],
)
def test_top_down_estimators_are_right_under_the_cascade(cascade, estimator):
    _, clicks, weights = cascade
    assert estimator(clicks, weights).value == pytest.approx(TRUE_CASCADE, abs=0.01)


def test_cascade_dr_survives_a_wrong_reward_model(cascade):
    _, clicks, weights = cascade
    guess = np.full_like(clicks, 0.3)
    value = slates.cascade_dr(clicks, weights, guess, guess).value
    assert value == pytest.approx(TRUE_CASCADE, abs=0.02)


def test_cascade_dr_with_the_true_model_has_less_spread(cascade):
    shown, clicks, weights = cascade
    chance = float(NEW @ ATTRACTION)
    after = np.column_stack([np.full(len(shown), chance), np.zeros(len(shown))])
    untouched = np.column_stack([np.ones(len(shown)), 1 - clicks[:, 0]])
    logged = untouched * (ATTRACTION[shown] + (1 - ATTRACTION[shown]) * after)
    policy = untouched * np.column_stack(
        [np.full(len(shown), TRUE_CASCADE), np.full(len(shown), chance)]
    )
    terms = slates.cascade_dr(clicks, weights, logged, policy)
    assert terms.value == pytest.approx(TRUE_CASCADE, abs=0.01)
    assert terms.per_round.std() < slates.reward_interaction_ips(clicks, weights).per_round.std()


def test_spread_grows_as_the_assumption_weakens(pbm):
    _, clicks, weights = pbm
    top_down = slates.reward_interaction_ips(clicks, weights).per_round.std()
    assert top_down < slates.slate_ips(clicks, weights).per_round.std()
