import numpy as np
import pytest
from sklearn.linear_model import Ridge

from recsys.evaluation import offpolicy
from recsys.evaluation.offpolicy_interval import Reach, Resamples, bootstrap
from recsys.evaluation.reward_model import cross_fit

PAYS = np.array([0.1, 0.5, 0.9])
LOGGING = np.array([0.2, 0.5, 0.3])
POLICY = np.array([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])


def logged(rounds, rng):
    """Context, actions, rewards and positions of which the policy, not the reward, depends."""
    context = rng.normal(size=(rounds, 2))
    actions = rng.choice(3, size=rounds, p=LOGGING)
    noise = rng.normal(size=rounds) * 0.5
    rewards = PAYS[actions] + context @ [0.2, -0.1] + noise
    return context, actions, rewards, rng.integers(2, size=rounds)


def fitted(log, seed=0, num_actions=3):
    context, actions, rewards, _ = log
    return cross_fit(context, actions, rewards, num_actions, rng=np.random.default_rng(seed))


def guesses(model, rounds, num_actions=3):
    """What the model thinks of every action in every round."""
    each = [model.averaged(row[None], np.zeros(rounds, dtype=int)) for row in np.eye(num_actions)]
    return np.stack(each, axis=1)


def weights_of(log):
    _, actions, _, positions = log
    return POLICY[positions, actions] / LOGGING[actions]


def test_learns_what_each_action_pays_in_each_context():
    log = logged(20_000, np.random.default_rng(0))
    found = guesses(fitted(log), 20_000)
    assert np.abs(found - (PAYS + (log[0] @ [0.2, -0.1])[:, None])).max() < 0.08


def test_is_the_ridge_regression_of_the_rounds_outside_the_fold():
    log = logged(300, np.random.default_rng(0))
    context, actions, rewards, _ = log
    model = fitted(log)
    held = model.fold == 1
    design = np.column_stack([context, np.eye(3)[actions]])
    peer = Ridge(alpha=10.0, solver="cholesky").fit(design[~held], rewards[~held])
    assert model.logged()[held] == pytest.approx(peer.predict(design[held]), abs=1e-9)


def test_no_round_is_predicted_from_itself():
    rewards = np.zeros(30)
    rewards[7] = 1000.0
    model = fitted((np.zeros((30, 1)), np.zeros(30, int), rewards, None), 1, 1)
    others = np.delete(np.arange(30), 7)
    assert model.logged()[7] == pytest.approx(0.0)
    assert model.logged()[others].max() > 1


def test_an_action_never_logged_gets_the_mean():
    rewards = np.random.default_rng(0).random(300)
    model = fitted((np.zeros((300, 1)), np.zeros(300, int), rewards, None), num_actions=2)
    assert guesses(model, 300, 2)[:, 1] == pytest.approx(rewards.mean(), abs=0.05)


def estimate(log, used):
    """Doubly robust with the weights ``used``: 0 is the direct method."""
    _, _, rewards, positions = log
    model = fitted(log)
    given = model.logged(), model.averaged(POLICY, positions)
    return offpolicy.doubly_robust(rewards, used, *given).value


@pytest.mark.parametrize("is_weighted", [False, True])
def test_what_a_round_taught_is_what_a_new_fit_shows(is_weighted):
    log = logged(200, np.random.default_rng(0))
    context, actions, rewards, positions = log
    used = weights_of(log) * is_weighted
    changed = rewards.copy()
    changed[11] += 2.0
    after = estimate((context, actions, changed, positions), used)
    model = fitted(log)
    before, then = (model.taught(r, used, POLICY, positions) for r in (rewards, changed))
    expected = (then[11] - before[11] + used[11] * 2.0) / 200
    assert after - estimate(log, used) == pytest.approx(expected, abs=1e-12)


def test_the_spread_with_what_rounds_taught_is_that_of_fitting_every_resample_anew():
    rng = np.random.default_rng(0)
    log = logged(400, rng)
    model = fitted(log)
    direct = model.averaged(POLICY, log[3])
    taught = model.taught(log[2], np.zeros(400), POLICY, log[3])
    refits = []
    for _ in range(300):
        drawn = rng.integers(400, size=400)
        refits.append(estimate(tuple(part[drawn] for part in log), np.zeros(400)))
    error = (direct + taught).std() / np.sqrt(400)
    assert error == pytest.approx(np.std(refits), rel=0.15)
    assert direct.std() / np.sqrt(400) < 0.7 * error


def direct_interval(log, seed, *, with_taught):
    """Interval of the direct method, with or without what the rounds taught its model."""
    positions, zero = log[3], np.zeros(len(log[2]))
    model = fitted(log, seed)
    direct = model.averaged(POLICY, positions)
    level = model.taught(log[2], zero, POLICY, positions).mean()

    def estimator(rewards):
        taught = model.taught(rewards, zero, POLICY, positions) - level
        return offpolicy.direct_method(direct + with_taught * taught)

    reach = Reach.of(estimator, log[2])
    rng = np.random.default_rng(seed)
    return bootstrap(reach, Resamples.draw(len(log[2]), rng=rng, num_samples=100))


def test_intervals_of_the_direct_method_cover_the_truth_only_with_what_rounds_taught():
    truth = float((POLICY @ PAYS).mean())
    covered = np.zeros(2)
    for trial in range(120):
        log = logged(400, np.random.default_rng(trial))
        for with_taught in (False, True):
            found = direct_interval(log, trial, with_taught=with_taught)
            covered[int(with_taught)] += found.low <= truth <= found.high
    assert covered[0] / 120 < 0.8 and covered[1] / 120 >= 0.9
