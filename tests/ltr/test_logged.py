from dataclasses import replace

import numpy as np
import pytest

from recsys.data.queries import ClickLog, Collection, Queries
from recsys.errors import DataError
from recsys.ltr import experiment, logged
from recsys.ltr.experiment import TrainingConfig
from recsys.ltr.loop import LoopConfig
from tests.ltr.methods.world import CURVE, LENGTH, source


def collection(num_sessions=20_000, propensities=False, labels=False):
    """A log of shuffled lists, so that examination can be told from it."""
    world = source(100)
    sessions = world.sample(num_sessions, np.random.default_rng(0), shuffled=True)
    offsets = np.arange(num_sessions + 1) * LENGTH
    positions = np.tile(np.arange(1, LENGTH + 1), num_sessions)
    given = np.tile(CURVE, num_sessions).astype(np.float32) if propensities else None
    log = ClickLog(offsets, sessions.documents.ravel(), positions, sessions.clicks.ravel(), given)
    grades = np.rint(4 * world.appeal).astype(np.float32) if labels else None
    ids = [str(query) for query in range(100)]
    queries = Queries(ids, np.arange(101) * LENGTH, world.features, grades)
    return Collection({"train": queries}, log)


@pytest.fixture(scope="module")
def contest():
    return logged.prepare(collection(), LENGTH)


def test_the_last_fifth_of_the_sessions_is_held_out(contest):
    assert len(contest.train.clicks) == 16_000 and len(contest.held_out.clicks) == 4_000


def test_examination_is_estimated_from_the_log(contest):
    assert contest.contest.estimated_examination == pytest.approx(CURVE, rel=0.1)
    assert contest.contest.known_examination is None


def test_logged_propensities_are_used_where_there_are_any():
    found = logged.prepare(collection(1000, propensities=True), LENGTH)
    assert found.contest.known_examination == pytest.approx(CURVE)


def test_a_fifth_of_the_labelled_queries_is_the_test_and_leaves_the_log():
    given = collection(1000, propensities=True, labels=True)
    found = logged.prepare(given, LENGTH)
    assert found.test is not None and len(found.test) == 20
    assert found.contest.source.appeal.max() == 1.0
    rows = [int(query) * LENGTH + place for query in found.test.ids for place in range(LENGTH)]
    for sessions in (found.train, found.held_out):
        assert not np.isin(sessions.documents, rows).any()
    left = ~np.isin(given.log.documents[:: given.log.offsets[1]], rows)
    assert len(found.train.clicks) + len(found.held_out.clicks) == left.sum() < 1000


def test_the_same_queries_are_the_test_in_any_order():
    given = collection(1000, labels=True)
    train = given.splits["train"]
    reversed_ = Collection({"train": replace(train, ids=train.ids[::-1])}, given.log)
    first, second = (logged.prepare(part, LENGTH).test.ids for part in (given, reversed_))
    assert set(first) == set(second)


def test_labels_of_noise_rank_no_better_than_chance():
    """Who memorises the labels gains nothing on the queries that labels judge."""
    given = collection(1000, labels=True)
    rng = np.random.default_rng(1)
    train = given.splits["train"]
    noise = rng.integers(3, size=len(train.labels)).astype(np.float32)
    dims = rng.normal(size=(len(noise), 20)).astype(np.float32)
    queries = replace(train, features=dims, labels=noise)
    found = logged.prepare(Collection({"train": queries}, given.log), LENGTH)
    settings = TrainingConfig(loop=LoopConfig(steps=200))
    learned = experiment.run(found.contest, "true-labels", settings, 0).score
    reached = np.nanmean(experiment.judge(learned, found.test)["ndcg@10"])
    chance = [
        np.nanmean(experiment.judge(lambda x: rng.random(len(x)), found.test)["ndcg@10"])
        for _ in range(200)
    ]
    assert reached < np.quantile(chance, 0.999)


def test_labels_of_one_query_alone_leave_nothing_to_learn_from():
    given = collection(10, labels=True)
    one = given.splits["train"].select(np.array([0]))
    log = ClickLog(np.array([0, 1]), np.array([0]), np.array([1]), np.array([True]))
    with pytest.raises(DataError, match="sessions of more queries"):
        logged.prepare(Collection({"train": one}, log), LENGTH)


def log_of(positions, clicks):
    """Sessions of the first documents, in a row."""
    sizes = [len(places) for places in positions]
    return ClickLog(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([np.arange(size) for size in sizes]),
        np.concatenate(positions),
        np.concatenate(clicks).astype(bool),
    )


def test_a_second_page_is_no_session_of_the_first_positions():
    pages = [[1, 2], [LENGTH + 1, LENGTH + 2]] * 10
    log = log_of(pages, [[1, 0]] * 20)
    found = logged.prepare(Collection(collection(1).splits, log), LENGTH)
    assert len(found.train.clicks) + len(found.held_out.clicks) == 10
    assert found.train.mask.any(axis=1).all() and found.held_out.mask.any(axis=1).all()


def test_two_sessions_are_one_to_learn_from_and_one_to_judge_by():
    log = log_of([[1, 2]] * 2, [[1, 0]] * 2)
    found = logged.prepare(Collection(collection(1).splits, log), LENGTH)
    assert (len(found.train.clicks), len(found.held_out.clicks)) == (1, 1)


def test_one_session_cannot_be_learned_from_and_judged_by():
    with pytest.raises(DataError, match="two sessions or more"):
        logged.prepare(Collection(collection(1).splits, log_of([[1]], [[1]])), LENGTH)


@pytest.mark.parametrize("positions", [[1, 2], [2, 3]], ids=["skipped", "not logged"])
def test_examination_needs_clicks_at_the_first_position(positions):
    log = log_of([positions] * 10, [[0, 1]] * 10)
    with pytest.raises(DataError, match="position 1 was never clicked"):
        logged.prepare(Collection(collection(1).splits, log), LENGTH)


def test_weighted_clicks_prefer_the_true_order(contest):
    truth = source(100).appeal
    order = np.arange(len(truth))

    def perfect(features):
        return truth[order]

    def reverse(features):
        return -truth[order]

    good = logged.held_out_gain(perfect, contest, 20.0)["ips-dcg@10"]
    bad = logged.held_out_gain(reverse, contest, 20.0)["ips-dcg@10"]
    assert good.mean() > bad.mean() + 0.1


def test_gain_of_one_session_by_hand(contest):
    clicks = np.zeros((1, LENGTH), bool)
    clicks[0, 1] = True
    shown = np.arange(LENGTH)[None]
    held = logged.Sessions(shown, clicks, np.ones((1, LENGTH), bool))
    one = logged.LoggedContest(contest.contest, contest.train, held, contest.features, None, CURVE)
    gain = logged.held_out_gain(lambda features: -np.arange(len(features), dtype=float), one, 20.0)
    assert gain["click-dcg@10"][0] == pytest.approx(1 / np.log2(3))
    assert gain["ips-dcg@10"][0] == pytest.approx(1 / CURVE[1] / np.log2(3))


def test_a_constant_does_not_repeat_the_logged_order(contest):
    sessions = contest.held_out
    first = np.zeros_like(sessions.clicks)
    first[:, 0] = True  # as if what stood on top were always clicked
    one = replace(contest, held_out=replace(sessions, clicks=first))
    gain = logged.held_out_gain(lambda features: np.zeros(len(features)), one, 20.0)
    by_chance = (1 / np.log2(1 + np.arange(1, LENGTH + 1))).mean()
    assert gain["click-dcg@10"].mean() == pytest.approx(by_chance, rel=0.03)


def test_the_click_model_that_made_the_log_predicts_it_best(contest):
    rows = {row["model"]: row["log_likelihood"] for row in logged.click_models(contest)}
    assert rows["position"] > rows["cascade"] and rows["position"] > rows["dynamic"]
    assert rows["position"] == pytest.approx(rows["browsing"], abs=0.002)


def test_a_collection_without_a_log_is_refused():
    with pytest.raises(DataError, match="expected logged sessions"):
        logged.prepare(Collection(collection(10).splits), LENGTH)
