from dataclasses import replace

import numpy as np
import pytest

from recsys.data.queries import Queries
from recsys.errors import ConfigError
from recsys.ltr import gbdt
from recsys.ltr.batches import LoggedSource
from recsys.ltr.experiment import Contest, TrainingConfig, check, judge, run
from recsys.ltr.gbdt import TreeConfig
from recsys.ltr.loop import LoopConfig
from recsys.ltr.methods import METHODS
from tests.ltr.methods.world import CURVE, LENGTH, source

SETTINGS = TrainingConfig(
    hidden=(8,),
    loop=LoopConfig(steps=40, batch_size=64),
    trees=TreeConfig(sessions=500, trees=10, leaves=4, threads=1),
    checks=4,
)


def queries(seed=1):
    world = source(100, seed)
    labels = np.rint(4 * world.appeal).astype(np.float32)
    offsets = np.arange(101) * LENGTH
    return Queries([str(i) for i in range(100)], offsets, world.features, labels)


@pytest.fixture(scope="module")
def contest():
    return Contest(source(), 3, LENGTH, queries(), CURVE, CURVE)


def test_the_same_seed_gives_the_same_scores(contest):
    first, second = (run(contest, "dla", SETTINGS, 3) for _ in range(2))
    features = queries().features
    assert (first.score(features) == second.score(features)).all()
    assert first.curve == second.curve


def test_another_seed_gives_others(contest):
    features = queries().features
    first, second = (run(contest, "naive", SETTINGS, seed).score(features) for seed in (0, 1))
    assert not np.allclose(first, second)


def test_the_learning_curve_has_as_many_points_as_asked_for(contest):
    outcome = run(contest, "naive", SETTINGS, 0)
    assert [sessions for sessions, _ in outcome.curve] == [640, 1280, 1920, 2560]


@pytest.mark.parametrize("method", ["dla", "gbdt"])
def test_nothing_is_chosen_by_the_learning_curve(contest, method):
    wrong = queries()
    wrong.labels[:] = wrong.labels.max() - wrong.labels
    features = queries().features
    first, second = (
        run(replace(contest, watched=watched), method, SETTINGS, 0).score(features)
        for watched in (queries(), wrong)
    )
    assert (first == second).all()


def test_the_last_point_is_what_the_scores_give(contest):
    outcome = run(contest, "true-labels", SETTINGS, 0)
    metrics = judge(outcome.score, queries())
    assert outcome.curve[-1][1] == pytest.approx(np.nanmean(metrics["ndcg@10"]), abs=1e-6)


def test_trees_run_on_the_same_data(contest):
    outcome = run(contest, "gbdt-position", SETTINGS, 0)
    assert outcome.examination is None and not outcome.curve
    assert outcome.score(queries().features).shape == (500,)


def test_trees_take_a_log_once_however_many_sessions_they_may(contest):
    log = contest.source.sample(300, np.random.default_rng(0), shuffled=False)
    logged = Contest(LoggedSource(contest.source.features, log), 3, LENGTH, queries())
    score = run(logged, "gbdt", SETTINGS, 0).score
    booster = score.__self__.booster
    assert booster.trees_to_dataframe()["count"].max() == 300 * LENGTH


@pytest.mark.parametrize("method", ["true-labels", "gbdt-labels"])
def test_labels_are_missed_before_anything_is_trained(contest, method):
    log = contest.source.sample(10, np.random.default_rng(0), shuffled=False)
    unlabelled = replace(contest, source=LoggedSource(contest.source.features, log))
    with pytest.raises(ConfigError, match=f"{method}: the data have no labels"):
        check(unlabelled, ["naive", method], SETTINGS)


def test_what_can_be_trained_is_not_refused(contest):
    check(contest, [*METHODS, *gbdt.KINDS], SETTINGS)


def test_every_step_is_reported(contest):
    seen = []
    run(contest, "naive", SETTINGS, 0, seen.append)
    assert seen == list(range(1, 41))


def test_queries_without_relevance_are_not_judged():
    part = Queries(["a"], np.array([0, 2]), np.ones((2, 3), np.float32), np.zeros(2, np.float32))
    assert np.isnan(judge(lambda x: x[:, 0], part)["map"]).all()


def test_a_learning_curve_without_anything_relevant_is_unknown():
    watched = queries()
    watched.labels[:] = 0.0
    found = run(Contest(source(), 3, LENGTH, watched, CURVE, CURVE), "naive", SETTINGS, 0)
    assert all(np.isnan(reached) for _, reached in found.curve)
