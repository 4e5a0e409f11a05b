import json

import numpy as np
import pandas as pd
import pytest

from pipelines import cli, policy_run
from pipelines.policy_run import RunPolicyConfig
from recsys.data.dataset import Dataset
from recsys.data.reading_log import Shown
from tests.pipelines import audit_world, policy_world


def chances(scores, alive, news, **settings):
    arrays = np.array([scores], float), np.array([alive], bool), np.array([news])
    return policy_run._chances(*arrays, RunPolicyConfig(**settings))[0]


def test_full_exploration_is_a_uniform_draw_of_what_is_left():
    found = chances([5, 1, 0, 9], [1, 1, 1, 0], [0, 1, 2], explore=1.0)
    assert found == pytest.approx([1 / 3, 1 / 2, 1.0])


def test_chances_are_the_softmax_of_standardised_scores():
    scores = np.array([2.0, 0.0, -2.0])
    powers = np.exp(scores / scores.std())
    share = powers / powers.sum()
    found = chances(scores, [1, 1, 1], [1, 0], explore=0.0)
    assert found == pytest.approx([share[1], share[0] / (1 - share[1])])


def test_towards_temperature_zero_the_best_alone_is_shown_at_each_place():
    alive = [1, 1, 1, 1, 0]
    best, other = (
        chances([3.0, 2.9, 2.0, 1.0, 99.0], alive, news, temperature=1e-4, explore=0.0)
        for news in ([0, 1, 2], [0, 2, 1])
    )
    assert best == pytest.approx([1.0, 1.0, 1.0])
    assert other == pytest.approx([1.0, 0.0, 1.0])


def test_what_is_not_alive_takes_no_chance_away():
    alone = chances([1.0, 0.0], [1, 1], [0], explore=0.1)
    beside = chances([1.0, 0.0, 50.0], [1, 1, 0], [0], explore=0.1)
    assert beside == pytest.approx(alone)


def shown(slates):
    """Slates of (second, news)."""
    sizes = [len(news) for _, news in slates]
    every = np.concatenate([news for _, news in slates])
    nobody = np.zeros(len(slates), int)
    return Shown(
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        news=every,
        clicked=np.zeros(len(every), bool),
        weights=np.ones(len(every), np.float32),
        reader=nobody,
        time=np.array([second for second, _ in slates]),
        ids=np.arange(len(slates)),
    )


def test_news_are_alive_from_their_first_showing_to_a_mean_gap_after_the_last():
    first, last = policy_run._alive(shown([(0, [0]), (60, [1]), (90, [0]), (120, [0])]), 3)
    assert first.tolist()[:2] == [0, 60] and last.tolist()[:2] == [120 + (120 - 0) // 2, 60]
    assert first[2] > last[2]


def test_a_shorter_slate_takes_no_place_from_the_others():
    log = shown([(0, [3, 4]), (60, [5]), (90, [6, 7])])
    impressions = pd.DataFrame(
        {
            "slate_id": [0, 0, 1, 2, 2],
            "time": pd.to_datetime([0, 0, 60, 90, 90], unit="s", utc=True),
            "user_id": "ann",
            "position": [1, 2, 1, 2, 1],
            "clicked": [False, True, True, True, False],
            "propensity": [0.5, 0.4, 0.3, 0.2, 0.1],
        }
    )
    found = policy_run._logged(impressions, log, np.arange(3), places=3)
    assert found.news.tolist() == [[3, 4], [5, -1], [7, 6]]
    assert found.propensities.tolist() == [[0.5, 0.4], [0.3, 1.0], [0.1, 0.2]]
    assert found.clicked.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_a_place_that_a_slate_does_not_have_leaves_its_weight_alone():
    assert chances([5, 1], [1, 1], [0, 1, -1], explore=1.0) == pytest.approx([1 / 2, 1.0, 1.0])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return policy_world.build(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def found(world):
    settings, rng = RunPolicyConfig(), np.random.default_rng(0)
    return policy_run.evaluate(world.dataset, world.run, settings, rng)


def test_intervals_hold_the_true_value_of_both_policies(world, found):
    asked = RunPolicyConfig()
    logged, ours = policy_world.true_values(
        world, places=asked.places, explore=asked.explore, draws=30
    )
    assert ours > 1.1 * logged  # or the log's own clicks would be answer enough
    assert found["logging_policy"]["low"] < logged < found["logging_policy"]["high"]
    estimates = {row["estimator"]: row for row in found["estimates"]}
    for name in ("rips", "self-normalised-rips"):
        assert estimates[name]["low"] < ours < estimates[name]["high"], name
        assert estimates[name]["high"] - estimates[name]["low"] < 0.5 * ours, name


def test_every_slate_of_the_tests_time_counts(world, found):
    log = policy_world.slates_of_test(Dataset.open(world.dataset))
    assert found["slates"] == log["slate_id"].nunique()
    assert found["slates_left_out"] == 0
    first = log[log["position"] <= RunPolicyConfig().places]
    clicks = first["clicked"].sum() / log["slate_id"].nunique()
    assert found["logging_policy"]["mean"] == pytest.approx(clicks)


def test_a_run_that_held_out_clicks_is_refused(world, capsys):
    config = world.run / "config.toml"
    before = config.read_text()
    config.write_text(before + '[split]\nprotocol = "next_click"\n')
    code = cli.run(["evaluate-policy", str(world.dataset), "--policy", f"run:{world.run}"])
    config.write_text(before)
    assert code == 2
    assert "expected split.protocol=slates" in " ".join(capsys.readouterr().err.split())


def test_a_log_without_propensities_is_refused(tmp_path, capsys):
    plain = audit_world.build(tmp_path, leaky=False, num_readers=20)
    code = cli.run(["evaluate-policy", str(plain.dataset), "--policy", f"run:{plain.run}"])
    assert code == 2
    assert "expected logged positions and propensities" in " ".join(capsys.readouterr().err.split())


def test_the_command_says_how_many_slates_it_used(world, capsys):
    code = cli.run(
        ["evaluate-policy", str(world.dataset), "--policy", f"run:{world.run}", "--json"]
    )
    assert code == 0 and json.loads(capsys.readouterr().out)["slates"] > 1000


def result(weight):
    """Of 3000 slates of two places whose weights are the given one, or what makes the mean 1."""
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((3000, 2)) < 0.5 / weight, weight, 0.5 / (1 - 0.5 / weight))
    clicks = (rng.random((3000, 2)) < [0.5, 0.2]).astype(float)
    return policy_run._result(weights, clicks, np.arange(3000), rng)


def test_only_estimators_of_the_value_are_recommended():
    found = result(1.5)
    names = [row["estimator"] for row in found["estimates"]]
    assert names == ["rips", "self-normalised-rips", "slate-ips"]
    assert found["overlap"]["is_sufficient"]
    assert "Prefer self-normalised-rips" in found["advice"][1]


def test_overlap_is_that_of_whole_slates():
    found = result(10.0)  # a place alone has 3000 / 5.3 effective slates, two have 3000 / 5.3^2
    assert found["overlap"]["effective_sample_size"] < 200
    words = " ".join(found["advice"])
    assert "not to be used: rips, self-normalised-rips, slate-ips" in words
    assert "Prefer" not in words
