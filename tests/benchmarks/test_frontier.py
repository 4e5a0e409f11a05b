import argparse
from xml.etree import ElementTree

import pytest

from benchmarks import frontier
from pipelines import cli
from pipelines.auditing.settings import AuditConfig
from recsys.errors import InputError
from recsys.fairness.leakage import LeakageConfig

ONE = LeakageConfig(attackers=("logistic regression",), num_samples=50)
TITLE = "{http://www.w3.org/2000/svg}title"


def run(quality, **aucs):
    return {
        "ndcg@10": quality,
        "leakage": {"gender": aucs},
        "readers": {"gender": 100},
        "lists": {"dp_js": 0.2},
    }


def test_leakage_is_the_largest_of_means_not_the_mean_of_the_largest():
    found = frontier.worst([{"a": 0.7, "b": 0.5}, {"a": 0.5, "b": 0.6}])
    assert (found["attacker"], found["leakage"]) == ("a", pytest.approx((0.7 + 0.5) / 2))
    assert found["se"] == pytest.approx((0.7 - 0.5) / 2)  # of two numbers, half their difference


def test_an_auc_below_one_half_counts_as_one_above():
    found = frontier.worst([{"a": 0.55, "b": 0.3}])
    assert (found["attacker"], found["leakage"]) == ("b", pytest.approx(0.7))


def test_aucs_on_either_side_of_one_half_cancel_over_seeds():
    assert frontier.worst([{"a": 0.4}, {"a": 0.6}])["leakage"] == pytest.approx(0.5)


def test_shares_are_taken_seed_by_seed():
    off = [run(0.4, a=0.7), run(0.2, a=0.7)]
    found = frontier.summary([run(0.3, a=0.5), run(0.2, a=0.5)], off)
    assert found["share_of_off"]["by_seed"] == pytest.approx([0.3 / 0.4, 1.0])


def test_without_the_peer_there_is_no_share_and_for_one_seed_no_error():
    found = frontier.summary([run(0.3, a=0.5)], None)
    assert found["share_of_off"] is None
    assert found["ndcg@10"] == {"mean": 0.3, "se": None, "by_seed": [0.3]}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "dataset"
    size = ["--readers", "400", "--news", "120", "--days", "3", "--slates-per-reader", "10"]
    assert cli.run(["simulate", str(path), *size]) == 0
    return path


def options(world, out, config):
    path = out / "quick.toml"
    path.write_text(config)
    return argparse.Namespace(
        dataset=world,
        out=out,
        config=path,
        seeds=1,
        recipe=["off", "erasure"],
        attribute="gender",
        jobs=1,
    )


@pytest.mark.slow
def test_a_frontier_is_measured_once_and_told_in_a_table_and_a_figure(world, tmp_path, monkeypatch):
    monkeypatch.setattr(frontier, "AUDIT", AuditConfig(leakage=ONE, list_lengths=(10,)))
    chosen = options(world, tmp_path, "optimizer.max_epochs=1")
    result = frontier.explore(chosen)
    assert result["recipes"]["off"]["share_of_off"]["mean"] == 1
    trained = (tmp_path / "runs" / "off-0" / "metrics.json").stat().st_mtime_ns
    assert frontier.explore(chosen) == result
    assert (tmp_path / "runs" / "off-0" / "metrics.json").stat().st_mtime_ns == trained
    assert frontier.tables(result).count("| erasure |") == 2
    titles = [node.text for node in ElementTree.fromstring(frontier.chart(result)).iter(TITLE)]
    assert [title.split(":")[0] for title in titles] == ["off", "erasure"]
    with pytest.raises(InputError, match="of other settings"):
        frontier.explore(options(world, tmp_path, "optimizer.max_epochs=2"))
