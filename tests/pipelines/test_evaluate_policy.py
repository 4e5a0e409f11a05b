import csv
import json
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from pipelines import cli, evaluate_policy, policies
from recsys.data.sources.policy_table import PolicyColumns

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
    difference = result["against_on_policy"]["snips"]["difference"]
    assert difference["low"] < 0 < difference["high"]


def test_missing_support_is_warned_of_once_and_before_any_number(capsys, log, tmp_path):
    table = pd.DataFrame({"action": ["a", "c"], "probability": [0.2, 0.8]})
    table.to_csv(tmp_path / "policy.csv", index=False)
    code, out, error = run(capsys, log, "--policy", f"table:{tmp_path / 'policy.csv'}")
    assert code == 0
    words = " ".join(out.split())
    said = "80.0% of the new policy's choices never occur in the log"
    assert (words + " ".join(error.split())).count(said) == 1
    assert words.index("warning:") < words.index("estimator") < words.index("extrapolation")


def test_a_policys_table_names_actions_as_the_log_does_and_each_row_names_one(
    capsys, log, tmp_path
):
    rows = pd.read_csv(log).replace({"action": {"a": "07", "b": "7"}})
    rows.to_csv(log, index=False)
    path = tmp_path / "policy.csv"
    path.write_text("action,probability\n07,0.5\n7,0.5\n")
    code, out, _ = run(capsys, log, "--policy", f"table:{path}", "--json")
    assert code == 0 and json.loads(out)["overlap"]["unsupported"] == 0.0
    path.write_text("action,probability\n07,0.5\n,0.5\n")
    code, _, error = run(capsys, log, "--policy", f"table:{path}")
    assert code == 2 and "policy.csv:3: action: expected a name" in " ".join(error.split())


@pytest.mark.parametrize(("probability", "found"), [(0.0, "0"), (0.25, "0.5"), (1.0, "2")])
def test_a_policy_whose_probabilities_do_not_sum_to_one_is_refused(
    capsys, log, tmp_path, probability, found
):
    path = tmp_path / "policy.csv"
    pd.DataFrame({"action": ["a", "b"], "probability": probability}).to_csv(path, index=False)
    code, _, error = run(capsys, log, "--policy", f"table:{path}")
    assert code == 2 and f"that sum to 1, found {found}" in " ".join(error.split())


def test_the_report_shows_estimates_and_what_to_trust(capsys, log, tmp_path):
    path = tmp_path / "policy.html"
    code, _, _ = run(capsys, log, "--policy", "uniform", "--report", path)
    page = path.read_text()
    assert code == 0 and "Which to trust" in page and "Overlap is sufficient" in page
    assert "effective sample size" in page and "<script" not in page and "http" not in page


def test_a_report_that_cannot_be_written_costs_no_number(capsys, log):
    code, out, said = run(capsys, log, "--policy", "uniform", "--json", "--report", log / "x.html")
    assert code == 2 and "cannot be written" in said
    assert "dr" in estimates(out)


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


CASES = {
    f"{campaign}, {log} to {policy}": (campaign, log, policy)
    for campaign in ("men", "women")
    for log, policy in (("random", "bts"), ("bts", "random"))
}


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_open_bandit_intervals_hold_the_value_on_the_policys_own_log(capsys, shared_data, case):
    campaign, log, policy = CASES[case]
    logged, own = (shared_data / "obd" / kind / campaign for kind in (log, policy))
    code, out, _ = run(capsys, logged, "--policy", f"like:{own}", "--json")
    result = json.loads(out)
    truth, found = result["on_policy"]["mean"], estimates(out)
    assert code == 0 and len(found) == 8
    for name, row in found.items():
        assert row["low"] <= truth <= row["high"], name
        against = result["against_on_policy"][name]
        assert against["contained"]
        assert against["difference"]["mean"] == pytest.approx(row["value"] - truth)


@pytest.mark.shared
def test_two_effective_rounds_are_said_to_identify_nothing(capsys, shared_data):
    random, learned = (shared_data / "obd" / kind / "women" for kind in ("random", "bts"))
    _, out, _ = run(capsys, learned, "--policy", f"like:{random}", "--json")
    result = json.loads(out)
    assert result["overlap"]["effective_sample_size"] < 3
    assert any("does not identify" in line for line in result["advice"])
    for name, row in estimates(out).items():
        assert row["high"] - row["low"] > 0.5, name


def rows_of(folder):
    with (folder / f"{folder.name}.csv").open() as file:
        return list(csv.DictReader(file))


def straight_line(logged, own, fold):
    """IPS, SNIPS, DM and DR of Open Bandit Data again: no code in common, a round at a time."""
    rows, counts = rows_of(logged), defaultdict(Counter)
    for row in rows_of(own):
        counts[row["position"]][row["item_id"]] += 1
    texts = [f"user_feature_{index}" for index in range(4)]
    kinds = [(name, value) for name in texts for value in {row[name] for row in rows}]
    places = sorted({row["position"] for row in rows})[1:]
    items = sorted({row["item_id"] for row in rows})
    context = [
        [float(row[name] == value) for name, value in kinds]
        + [float(row["position"] == place) for place in places]
        for row in rows
    ]
    chosen = [[float(row["item_id"] == item) for item in items] for row in rows]
    clicks = [float(row["click"]) for row in rows]
    design = np.concatenate([context, chosen], axis=1)
    totals = dict.fromkeys(["ips", "weights", "dm", "dr"], 0.0)
    for held in range(3):
        inside = fold != held
        model = Ridge(alpha=10.0, solver="cholesky").fit(design[inside], np.array(clicks)[inside])
        effects = dict(zip(items, model.coef_[len(context[0]) :], strict=True))
        for i in np.flatnonzero(~inside):
            shares = counts[rows[i]["position"]]
            number = sum(shares.values())
            weight = shares[rows[i]["item_id"]] / number / float(rows[i]["propensity_score"])
            base = model.intercept_ + model.coef_[: len(context[0])] @ context[i]
            mean = sum(share / number * effects[item] for item, share in shares.items())
            error = clicks[i] - base - effects[rows[i]["item_id"]]
            totals["ips"] += weight * clicks[i]
            totals["weights"] += weight
            totals["dm"] += base + mean
            totals["dr"] += base + mean + weight * error
    return {name: totals[name] / len(rows) for name in ("ips", "dm", "dr")} | {
        "snips": totals["ips"] / totals["weights"]
    }


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_open_bandit_values_are_those_of_a_straight_line_program(shared_data, case):
    campaign, name, policy = CASES[case]
    logged, own = (shared_data / "obd" / kind / campaign for kind in (name, policy))
    log = policies.read_log(logged, PolicyColumns())
    made = policies.make(f"like:{own}", log, PolicyColumns(), np.random.default_rng(0))
    result = evaluate_policy._table_log(log, made, np.random.default_rng(7))
    fold = np.random.default_rng(7).permutation(len(log)) % 3
    found = {row["estimator"]: row["value"] for row in result["estimates"]}
    for estimator, value in straight_line(logged, own, fold).items():
        assert found[estimator] == pytest.approx(value, rel=0, abs=1e-9), estimator


def test_a_log_of_one_row_is_answered_in_strict_json(capsys, log, tmp_path):
    pd.read_csv(log).head(1).to_csv(tmp_path / "row.csv", index=False)
    chosen = ["--policy", "column", "--set", "columns.target=new", "--json"]
    code, out, _ = run(capsys, tmp_path / "row.csv", *chosen)
    assert code == 0 and json.loads(out, parse_constant=pytest.fail)["estimates"]
    code, out, _ = run(capsys, tmp_path / "row.csv", "--policy", "uniform", "--json")
    assert code == 0 and json.loads(out, parse_constant=pytest.fail)["estimates"]


def test_a_reward_model_is_fitted_however_many_actions_there_are(capsys, tmp_path):
    names = np.arange(12_000)
    table = {"action": names, "reward": names % 2, "propensity": 1 / len(names)}
    pd.DataFrame(table).to_csv(tmp_path / "many.csv", index=False)
    code, out, _ = run(capsys, tmp_path / "many.csv", "--policy", "uniform", "--json")
    assert code == 0 and "dr" in estimates(out)
