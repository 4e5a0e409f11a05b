import json

import numpy as np
import pandas as pd
import pytest

from pipelines import cli
from recsys.ltr.clicks.position import PositionBased

QUICK = ["--set", "training.loop.steps=40", "--set", "training.hidden=[8]"]
QUICK += ["--set", "protocol.randomised_sessions=2000"]


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ltr") / "data"
    settings = ["--set", "num_queries=300", "--set", "num_features=6"]
    assert cli.run(["simulate", str(folder), "--kind", "ltr", *settings]) == 0
    return folder


@pytest.fixture(scope="module")
def click_log(tmp_path_factory):
    """A log of shuffled lists, as a CSV with column names of its own."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 5, 2))
    curve = PositionBased(np.array([1.0, 0.6, 0.4, 0.2, 0.1])).examination
    rows = []
    for _ in range(600):
        query = rng.integers(40)
        for place, document in enumerate(rng.permutation(5)):
            x = features[query, document]
            click = rng.random() < curve[place] / (1 + np.exp(-2 * x[0]))
            rows.append((f"q{query}", document, place + 1, int(click), *x))
    names = ["search", "doc", "rank", "hit", "feature_a", "feature_b"]
    path = tmp_path_factory.mktemp("log") / "clicks.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


def run(capsys, *arguments):
    code = cli.run(["evaluate-ultr", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_is_one_object_with_a_row_a_method_and_metric(capsys, generated):
    code, out, _ = run(
        capsys, generated, "--methods", "naive,dla,true-labels", "--seeds", 2, "--json", *QUICK
    )
    result = json.loads(out)
    assert code == 0
    rows = {(row["method"], row["metric"]) for row in result["results"]}
    assert {("dla", "ndcg@10"), ("naive", "map"), ("initial", "err@10")} <= rows
    assert all(row["low"] <= row["mean"] <= row["high"] for row in result["results"])
    assert {row["method"] for row in result["differences"]} == {"initial", "dla", "true-labels"}
    assert (
        result["examination_truth"][0] == 1.0 and "max_relative_error" in result["examination"][0]
    )
    assert set(result["buckets"]["dla"]) == {str(bucket) for bucket in range(10)}


def test_the_same_seed_gives_the_same_numbers(capsys, generated):
    arguments = [generated, "--methods", "naive", "--seeds", 1, "--json", *QUICK]
    first, second = (json.loads(run(capsys, *arguments)[1])["results"] for _ in range(2))
    assert first == second


def test_the_report_is_one_file_that_fetches_nothing(capsys, generated, tmp_path):
    path = tmp_path / "out" / "report.html"
    code, _, _ = run(
        capsys, generated, "--methods", "naive,dla", "--seeds", 1, "--report", path, *QUICK
    )
    page = path.read_text()
    assert code == 0
    for title in ("Learning curves", "Examination, learned and true", "By frequency", "Settings"):
        assert title in page
    assert "<title>dla: " in page and "prefers-color-scheme:dark" in page
    assert "src=" not in page and "http" not in page and "<script" not in page


def test_a_report_that_cannot_be_written_costs_no_number(capsys, generated):
    path = generated / "queries.parquet" / "report.html"
    arguments = ["--methods", "naive", "--seeds", 1, "--json", "--report", path]
    code, out, said = run(capsys, generated, *arguments, *QUICK)
    assert code == 2 and "cannot be written" in said
    assert json.loads(out)["results"]


def test_a_click_log_is_judged_by_its_own_held_out_clicks(capsys, click_log):
    names = ["query=search", "document=doc", "position=rank", "click=hit"]
    mapped = [part for name in names for part in ("--set", f"columns.{name}")]
    code, out, _ = run(
        capsys,
        click_log,
        "--methods",
        "naive,ips-estimated,dla",
        "--seeds",
        1,
        "--json",
        *mapped,
        *QUICK,
        "--set",
        "protocol.positions=5",
    )
    result = json.loads(out)
    assert code == 0 and result["metric"] == "ips-dcg@10"
    assert {row["model"] for row in result["click_models"]} == {
        "position",
        "trust",
        "cascade",
        "dynamic",
        "browsing",
    }
    assert len(result["click_models"][0]["perplexity"]) == 5
    assert "predicts held-out clicks best" in " ".join(result["notes"])


def test_a_click_log_with_labels_is_judged_by_both_on_queries_that_are_called_the_tests(
    capsys, click_log, tmp_path
):
    table = pd.read_csv(click_log)
    table["grade"] = (table["feature_a"] > 0).astype(int)
    table.to_csv(tmp_path / "labelled.csv", index=False)
    names = ["query=search", "document=doc", "position=rank", "click=hit", "label=grade"]
    mapped = [part for name in names for part in ("--set", f"columns.{name}")]
    page = tmp_path / "report.html"
    chosen = ["--methods", "naive,true-labels", "--seeds", 1, "--json", "--report", page]
    code, out, _ = run(capsys, tmp_path / "labelled.csv", *chosen, *mapped, *QUICK)
    result = json.loads(out)
    metrics = {row["metric"] for row in result["results"]}
    assert code == 0 and {"ndcg@10", "ips-dcg@10", "click-dcg@10"} <= metrics
    assert result["metric"] == "ndcg@10" and result["queries"] == 8  # a fifth of 40
    assert "else on those of the test." in page.read_text()
    assert "(validation)" not in page.read_text()


def test_a_click_log_without_propensities_cannot_do_ips(capsys, click_log):
    names = ["query=search", "document=doc", "position=rank", "click=hit"]
    mapped = [part for name in names for part in ("--set", f"columns.{name}")]
    endless = ["--set", "training.loop.steps=1000000000"]  # nothing may be trained before
    code, out, error = run(capsys, click_log, "--methods", "naive,ips", *mapped, *endless)
    assert code == 2 and not out and "use ips-estimated" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: is not there"),
        (["--methods", "dlaa"], "'dlaa' is none of true-labels"),
        (["--set", "protocol.etta=2"], "unknown key 'protocol.etta'"),
        (["--set", "protocol.clicks=psychic"], "protocol.clicks"),
        (["--set", f"seed={2**65}"], "seed: Input should be less than 4294967296"),
        (["--set", "protocol.positions=0"], "protocol.positions: Input should be greater than 0"),
        (["--set", "training.loop.rate=nan"], "training.loop.rate: Input should be"),
        (["--set", "training.trees.leaves=1"], "training.trees.leaves: Input should be greater"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(capsys, generated, arguments, said):
    given = arguments if arguments == ["nowhere"] else [generated, *arguments]
    code, out, error = run(capsys, *given)
    assert code == 2 and not out and "Traceback" not in error
    assert said in " ".join(error.split())


def test_clicks_that_break_the_assumption_are_named(capsys, generated):
    code, out, _ = run(
        capsys,
        generated,
        "--methods",
        "naive",
        "--seeds",
        1,
        *QUICK,
        "--set",
        "protocol.clicks=cascade",
        "--set",
        "protocol.confounding=2",
    )
    words = " ".join(out.split())
    assert code == 0
    assert "position-based examination curve is wrong here" in words
    assert "logging policy knows relevance" in words


@pytest.mark.shared
def test_mq2008_runs_fold_by_fold(capsys, shared_data):
    code, out, _ = run(
        capsys, shared_data / "mq2008", "--methods", "naive", "--seeds", 1, "--json", *QUICK
    )
    result = json.loads(out)
    assert code == 0 and result["queries"] == 784 and result["usable_queries"] == 564
    assert any("smoke test" in note for note in result["notes"])
