import json

import numpy as np
import pandas as pd
import pytest

from pipelines import cli

PAYS = {"a": 0.2, "b": 0.8}


@pytest.fixture
def log(tmp_path):
    """Two actions, logged at 0.75 and 0.25; a policy with support, and one without."""
    rng = np.random.default_rng(0)
    rare = rng.random(4000) < 0.25
    action = np.where(rare, "b", "a")
    table = pd.DataFrame(
        {
            "action": action,
            "reward": (rng.random(4000) < [PAYS[name] for name in action]).astype(int),
            "propensity": np.where(rare, 0.25, 0.75),
            "new": np.where(rare, 0.9, 0.1),
            "shop": rng.choice(["x", "y"], 4000),
        }
    )
    table.to_csv(tmp_path / "log.csv", index=False)
    return tmp_path / "log.csv"


def run(capsys, *arguments):
    code = cli.run(["evaluate-policy", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def estimates(out):
    return {row["estimator"]: row for row in json.loads(out)["estimates"]}


def test_a_tabular_policy_gets_every_estimator(capsys, log, tmp_path):
    table = pd.DataFrame({"action": ["a", "b"], "probability": [0.1, 0.9]})
    table.to_csv(tmp_path / "policy.csv", index=False)
    code, out, _ = run(
        capsys,
        log,
        "--policy",
        f"table:{tmp_path / 'policy.csv'}",
        "--json",
        "--set",
        'columns.context=["shop"]',
    )
    found = estimates(out)
    truth = 0.1 * PAYS["a"] + 0.9 * PAYS["b"]
    assert code == 0 and {"ips", "snips", "dm", "dr", "switch-dr", "dros"} <= set(found)
    for name in ("ips", "snips", "dr", "self-normalised-dr"):
        assert found[name]["low"] < truth < found[name]["high"], name
    assert json.loads(out)["overlap"]["is_sufficient"]


def test_a_column_of_the_log_can_be_the_policy(capsys, log):
    code, out, _ = run(capsys, log, "--policy", "column", "--set", "columns.target=new", "--json")
    assert code == 0 and set(estimates(out)) == {"ips", "clipped-ips", "snips"}


def test_another_logs_policy_is_its_action_frequencies(capsys, log):
    code, out, _ = run(capsys, log, "--policy", f"like:{log}", "--json")
    result = json.loads(out)
    rewards = pd.read_csv(log)["reward"]
    assert code == 0 and result["on_policy"]["mean"] == pytest.approx(rewards.mean())
    assert estimates(out)["snips"]["value"] == pytest.approx(rewards.mean(), abs=0.01)


def test_missing_support_is_warned_of_before_any_number(capsys, log, tmp_path):
    table = pd.DataFrame({"action": ["a", "c"], "probability": [0.2, 0.8]})
    table.to_csv(tmp_path / "policy.csv", index=False)
    code, out, error = run(capsys, log, "--policy", f"table:{tmp_path / 'policy.csv'}")
    assert code == 0
    assert "80.0% of the new policy's choices never occur in the log" in " ".join(error.split())
    words = " ".join(out.split())
    assert words.index("warning:") < words.index("estimator") < words.index("extrapolation")


def test_the_report_shows_estimates_and_what_to_trust(capsys, log, tmp_path):
    path = tmp_path / "policy.html"
    code, _, _ = run(capsys, log, "--policy", "uniform", "--report", path)
    page = path.read_text()
    assert code == 0 and "Which to trust" in page and "Overlap is sufficient" in page
    assert "effective sample size" in page and "<script" not in page and "http" not in page


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("clever", "expected uniform; like:LOG"),
        ("column", "expected uniform; like:LOG"),
        ("table:none.csv", "none.csv"),
        ("like:none.csv", "none.csv: expected a table of rounds"),
        ("run:none", "expected a dataset folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(capsys, log, policy, said):
    code, out, error = run(capsys, log, "--policy", policy)
    assert code == 2 and not out and "Traceback" not in error
    assert said in " ".join(error.split())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("campaign", "names"), [("men", ["ips", "snips", "dr"]), ("women", ["ips"])]
)
def test_the_learned_policys_value_is_found_in_the_random_log(capsys, shared_data, campaign, names):
    random, learned = (shared_data / "obd" / kind / campaign for kind in ("random", "bts"))
    code, out, _ = run(capsys, random, "--policy", f"like:{learned}", "--json")
    truth, found = json.loads(out)["on_policy"]["mean"], estimates(out)
    assert code == 0
    for name in names:
        assert found[name]["low"] < truth < found[name]["high"], name


@pytest.mark.shared
@pytest.mark.parametrize("name", ["ips", "snips"])
def test_the_random_policys_value_is_found_in_the_learned_log(capsys, shared_data, name):
    random, learned = (shared_data / "obd" / kind / "men" for kind in ("random", "bts"))
    _, out, _ = run(capsys, learned, "--policy", f"like:{random}", "--json")
    found = estimates(out)[name]
    assert found["low"] < json.loads(out)["on_policy"]["mean"] < found["high"]
