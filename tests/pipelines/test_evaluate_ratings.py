import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines import cli
from recsys.data.writer import DatasetWriter

QUICK = [
    *("--set", "methods.loop.max_epochs=5", "--set", "penalties=[0.01]"),
    *("--set", "tuning_folds=1", "--set", "methods.kernel.functions=8"),
]


def write(out, *, randomised=True, category=None):
    rng = np.random.default_rng(0)
    readers, news = np.divmod(np.arange(40 * 50), 50)
    taste = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 50))
    value = np.clip(np.round(3 + taste[readers, news]), 1, 5)
    kept = rng.random(2000) < 0.4
    with DatasetWriter(out, "test") as writer:
        about = {"category": [category(n) for n in range(50)]} if category else {}
        writer.news(pa.table({"news_id": [str(n) for n in range(50)], "title": [""] * 50, **about}))
        writer.ratings(
            pa.table(
                {
                    "user_id": readers[kept].astype(str).tolist(),
                    "news_id": news[kept].astype(str).tolist(),
                    "value": value[kept].astype(np.float32),
                    "randomised": (rng.random(kept.sum()) < 0.4) & randomised,
                }
            )
        )
    return out


def evaluate(dataset, *options):
    return cli.run(["evaluate-ratings", str(dataset), *QUICK, *options])


def test_every_method_gets_every_measure_with_an_interval_and_a_difference(tmp_path, capsys):
    methods = "naive,ips:naive-bayes,wmf,rel-mf,ips:kernel-adaptive"
    options = ["--methods", methods, "--seeds", "2", "--json"]
    assert evaluate(write(tmp_path / "d"), *options) == 0
    report = json.loads(capsys.readouterr().out)
    results = pd.DataFrame(report["results"])
    assert set(results["method"]) == set(methods.split(","))
    assert len(results) == 5 * 2 * 4
    assert ((results["low"] <= results["mean"]) & (results["mean"] <= results["high"])).all()
    found = pd.DataFrame(report["differences"])
    assert {("rel-mf", "wmf"), ("wmf", "naive")} <= set(
        zip(found["method"], found["against"], strict=True)
    )
    auc = results.query("metric == 'auc' and news == 'all'").set_index("method")["mean"]
    line = found.query("method == 'wmf' and against == 'naive' and metric == 'auc'").iloc[0]
    assert line["mean"] == pytest.approx(auc["wmf"] - auc["naive"])


def test_the_table_is_for_people(tmp_path, capsys):
    assert evaluate(write(tmp_path / "d"), "--methods", "naive,wmf", "--against", "naive") == 0
    said = capsys.readouterr().out
    assert "all news" in said
    assert "rare news" in said


@pytest.mark.parametrize("category", [None, lambda n: "ab"[n % 2]])
def test_by_default_content_is_given_where_news_have_some(tmp_path, capsys, category):
    dataset = write(tmp_path / "d", category=category)
    assert evaluate(dataset, "--seeds", "1", "--json", "--set", "methods.loop.max_epochs=1") == 0
    methods = json.loads(capsys.readouterr().out)["penalties"]
    assert any("+content" in name for name in methods) == bool(category)


def test_content_is_refused_where_news_have_none(tmp_path, capsys):
    options = ["--methods", "naive+content", "--against", "naive+content"]
    assert evaluate(write(tmp_path / "d"), *options) == 2
    assert "tells news apart" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("methods", "against"),
    [
        ("naive,ips:kernel-adaptive", {"naive"}),
        ("wmf,ips:naive-bayes,naive", {"naive", "ips:naive-bayes"}),
        ("expomf,ips:popularity", {"expomf"}),
    ],
)
def test_by_default_others_are_compared_with_a_method_there_is(tmp_path, capsys, methods, against):
    dataset = write(tmp_path / "d")
    options = ["--methods", methods, "--seeds", "1", "--json"]
    assert evaluate(dataset, *options, "--set", "methods.loop.max_epochs=1") == 0
    differences = json.loads(capsys.readouterr().out)["differences"]
    assert {line["against"] for line in differences} == against


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "naive,magic"], "method 'magic' is unknown"),
        (["--methods", "naive", "--against", "wmf"], "'wmf' is not among the methods"),
        (["--methods", "naive", "--against", "naive", "--set", "rar=1"], "unknown key 'rar'"),
        (["--set", "penalties=[]"], "penalties: Tuple should have at least 1 item"),
        (["--set", "tuning_folds=0"], "tuning_folds: Input should be greater than 0"),
        (["--set", "methods.loop.batch=0"], "methods.loop.batch: Input should be greater than 0"),
        (["--set", "methods.base=x"], "methods.base: Input should be '', 'popularity'"),
    ],
)
def test_bad_options_are_named(tmp_path, capsys, options, message):
    assert evaluate(write(tmp_path / "d"), *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        ("methods.positive=6", 2, "methods.positive=6: 0 of "),
        ("rare=0.001", 2, "rare=0.001: none of these news is in the test"),
        ("methods.loop.lr=1e30", 1, "scores are not finite; smaller methods.loop.lr"),
    ],
)
def test_what_cannot_be_judged_is_one_line(tmp_path, capsys, setting, code, message):
    world = write(tmp_path / "d")
    assert evaluate(world, "--seeds", "1", "--methods", "naive", "--set", setting) == code
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "recsys:" in line]
    assert message in said


def test_without_randomised_ratings_there_is_nothing_to_judge_on(tmp_path, capsys):
    dataset = write(tmp_path / "d", randomised=False)
    assert evaluate(dataset, "--methods", "naive", "--against", "naive") == 2
    assert "randomised ones to judge on, found" in capsys.readouterr().err.replace("\n", " ")
