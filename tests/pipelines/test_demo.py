import json

import pytest

from pipelines import cli
from pipelines.demo import MARK, _Answer, _Biased, _make_room, _show, _show_audit
from pipelines.simulate import simulate
from recsys.client import Ranking
from recsys.simulation.config import WorldConfig


def test_a_folder_of_something_else_is_never_replaced(tmp_path, capsys):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "thesis.tex").write_text("years of work")
    assert cli.run(["demo", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}: is there already and is no demo; expected" in said
    assert said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "thesis.tex"}


def test_an_earlier_demo_gives_way_to_a_new_one_and_leaves_the_rest(tmp_path):
    _make_room(tmp_path)
    for part in ("run", "off"):
        (tmp_path / part).mkdir()
    _make_room(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MARK, "off"}


def test_a_wrong_setting_costs_no_earlier_demo(tmp_path):
    _make_room(tmp_path)
    (tmp_path / "run").mkdir()
    assert cli.run(["demo", str(tmp_path), "--set", "fairness=fair"]) == 2
    assert (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_demo_ends_in_titles_for_three_readers(tmp_path, capsys):
    small = ["--readers", "300", "--set", "optimizer.max_epochs=1"]
    assert cli.run(["demo", str(tmp_path / "demo"), *small]) == 0
    said = capsys.readouterr().out
    assert said.count("bias-free ranking") == 3
    assert said.count("way: cached") == 3
    audited = json.loads((tmp_path / "demo" / "run" / "audit.json").read_text())
    assert f"verdict of the audit: {audited['verdict']}" in said
    assert (tmp_path / "demo" / "run" / "audit.html").exists()


def test_what_too_few_readers_leave_unmeasured_is_a_dash(capsys):
    known, unknown = (
        {"mean": 0.5, "low": 0.4, "high": 0.6},
        {"auc": None, "low": None, "high": None},
    )
    audited = {"leakage": {"gender": unknown}, "verdict": "insufficient", "reasons": []}
    _show_audit({"ndcg@10": known, "popularity_ndcg@10": known}, audited)
    said = capsys.readouterr().out
    assert "–" in next(line for line in said.splitlines() if "leakage of gender" in line)
    assert "verdict of the audit: insufficient" in said


def test_a_model_of_one_part_has_one_ranking_to_show(tmp_path, capsys):
    world = WorldConfig(readers=20, news=30, days=1, slate=3, slates_per_reader=3, missing=0)
    dataset = simulate(tmp_path / "dataset", world)
    user, news = dataset.attributes["user_id"][0], list(dataset.news["news_id"][:2])
    answer = _Answer(
        user, news[:1], Ranking((news[1],), (0.5,), (1.0,), "version", "cached", "slate")
    )
    _show([answer], _Biased.load(tmp_path / "run of fairness=off", bundle=None), dataset)
    said = capsys.readouterr().out
    assert "as served" in said
    assert "not served" not in said
