import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipelines import cli
from pipelines.auditing.settings import AuditConfig
from pipelines.compare import _shared_readers, _show, compare
from recsys.errors import DataError, InputError
from recsys.fairness.attackers import QUICK
from recsys.fairness.leakage import LeakageConfig
from tests.pipelines.audit_world import build

CONFIG = AuditConfig(
    leakage=LeakageConfig(attackers=("logistic regression",), num_samples=50), num_samples=50
)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Two runs of the same readers: one leaks, one does not."""
    return [
        build(tmp_path_factory.mktemp("leaky"), leaky=True),
        build(tmp_path_factory.mktemp("fair"), leaky=False, seed=1),
    ]


def test_readers_are_attacked_whom_no_run_used():
    def run(ids, used):
        readers = SimpleNamespace(ids=ids)
        free = np.array([user not in used for user in ids])
        return SimpleNamespace(
            path="run", bundle=SimpleNamespace(readers=readers), open_to_attack=free
        )

    first, second = run("dcba", used="a"), run("abcd", used="c")
    assert _shared_readers([first, second]) == ["d", "b"]
    with pytest.raises(DataError, match="shares no reader"):
        _shared_readers([first, run("abcd", used="bcd")])


def test_difference_to_the_first_is_paired(worlds):
    leaky, fair = worlds
    first, second = compare([leaky.run, fair.run], leaky.dataset, config=CONFIG)["runs"]
    assert first["gain_over_first"] is None
    assert first["leakage"]["gender"]["over_first"] is None
    less = second["leakage"]["gender"]["over_first"]
    assert less["high"] < -0.1
    gain = second["gain_over_first"]
    means = [one["utility"]["ndcg@10"]["mean"] for one in (first, second)]
    assert gain["mean"] == pytest.approx(means[1] - means[0])
    assert gain["low"] < gain["mean"] < gain["high"]


def test_a_run_differs_from_itself_by_nothing(worlds):
    run = worlds[0].run
    _, again = compare([run, run], worlds[0].dataset, config=CONFIG)["runs"]
    assert again["leakage"]["gender"]["over_first"] == {"mean": 0, "low": 0, "high": 0}


def judge(run, values):
    users = [f"u{i}" for i in range(len(values))]
    found = pd.DataFrame({"user_id": users, "true_ndcg@10": values})
    found.to_parquet(run / "offline" / "true_relevance.parquet")


@pytest.fixture
def judged(worlds):
    """Both runs judged by the truth: the second is better by .1, give or take, for each reader."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 0.8, 200)
    judge(worlds[0].run, values)
    judge(worlds[1].run, values + rng.uniform(0, 0.2, 200))
    yield worlds
    for world in worlds:
        (world.run / "offline" / "true_relevance.parquet").unlink()


def test_quality_by_truth_is_paired_by_reader(judged):
    leaky, fair = judged
    first, second = compare([leaky.run, fair.run], leaky.dataset, config=CONFIG)["runs"]
    assert first["true_gain_over_first"] is None
    gain = second["true_gain_over_first"]
    means = [one["true_ndcg@10"]["mean"] for one in (first, second)]
    assert gain["mean"] == pytest.approx(means[1] - means[0])
    assert gain["readers"] == 200
    assert gain["high"] - gain["low"] < 0.03  # unpaired, readers' own spread would make it .09


def test_runs_without_truth_say_nothing_of_it(worlds):
    first, _ = compare([world.run for world in worlds], worlds[0].dataset, config=CONFIG)["runs"]
    assert not {"true_ndcg@10", "true_gain_over_first"} & set(first)


def test_the_table_shows_quality_by_truth_where_it_is_known(judged, capsys):
    paths = [str(judged[0].run), str(judged[1].run), str(judged[0].dataset)]
    fast = ["--set=leakage.attackers=['logistic regression']", "--set=leakage.num_samples=50"]
    assert cli.run(["compare", *paths, *fast]) == 0
    assert "truth" in capsys.readouterr().out


def test_command_prints_a_table_and_json(worlds, capsys):
    paths = [str(worlds[0].run), str(worlds[1].run), str(worlds[0].dataset)]
    fast = ["--set=leakage.attackers=['logistic regression']", "--set=leakage.num_samples=50"]
    assert cli.run(["compare", *paths, *fast]) == 0
    assert "readers attacked" in capsys.readouterr().out
    assert cli.run(["compare", *paths, *fast, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2


def test_a_quick_look_is_by_the_two_cheap_attackers(tmp_path, capsys):
    world = build(tmp_path, leaky=False, num_readers=60)
    paths = [str(world.run), str(world.run), str(world.dataset)]
    few = ["--set=leakage.num_samples=10", "--set=leakage.min_readers=5"]
    assert cli.run(["compare", *paths, "--quick", *few, "--json"]) == 0
    (found, _) = json.loads(capsys.readouterr().out)["runs"]
    attackers = found["leakage"]["gender"]["attackers"]
    assert [attack["attacker"] for attack in attackers] == list(QUICK)


def shown(capsys, *runs):
    """The words of the table of some runs."""
    measured = {"utility": {"ndcg@10": {"mean": 0.5, "low": 0.4, "high": 0.6}}, "leakage": {}}
    rows = [{"run": run, "gain_over_first": None, **measured} for run in runs]
    _show({"readers_attacked": 5, "runs": rows})
    return set(capsys.readouterr().out.split())


def test_runs_of_one_name_are_told_apart_by_their_folders(capsys):
    assert {"n1/run", "n2/run"} <= shown(capsys, "n1/run", "n2/run")


def test_a_run_compared_from_inside_has_its_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert {"here", "there"} <= shown(capsys, ".", "../there")


def test_one_run_is_not_enough(worlds, capsys):
    assert cli.run(["compare", str(worlds[0].run), str(worlds[0].dataset)]) == 2
    assert "two runs or more" in capsys.readouterr().err


def asked(folder, seed, split):
    world = build(folder, leaky=False, num_readers=30, split=split)
    config = world.run / "config.toml"
    config.write_text(config.read_text().replace("seed = 3", f"seed = {seed}"))
    return world


@pytest.mark.parametrize("split", ['protocol = "slates"\ntest = 0.125', 'protocol = "next_click"'])
def test_seeds_that_draw_nothing_that_is_held_out_may_differ(tmp_path, split):
    runs = [asked(tmp_path / str(seed), seed, split) for seed in (0, 1)]
    found = compare([world.run for world in runs], runs[0].dataset, config=CONFIG)
    assert found["runs"][1]["gain_over_first"]["events"] == 30


def test_runs_that_drew_what_they_hold_out_by_other_seeds_are_refused(tmp_path):
    runs = [asked(tmp_path / str(seed), seed, 'protocol = "random"') for seed in (0, 1)]
    with pytest.raises(InputError, match=r"0/run and .*1/run were asked .*\(split: seed 0 and 1\)"):
        compare([world.run for world in runs], runs[0].dataset, config=CONFIG)


def test_each_run_is_held_against_the_first(tmp_path):
    splits = ['protocol = "slates"\ntest = 0.125'] * 2 + ['protocol = "slates"\ntest = 0.2']
    runs = [asked(tmp_path / str(i), 0, split) for i, split in enumerate(splits)]
    with pytest.raises(InputError, match=r"0/run and .*2/run .*test 0\.125 and 0\.2"):
        compare([world.run for world in runs], runs[0].dataset, config=CONFIG)
