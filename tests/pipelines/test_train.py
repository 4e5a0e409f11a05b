import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import cli, train
from pipelines.console import progress
from recsys.config import load
from recsys.data.dataset import Dataset
from recsys.folders import alone
from recsys.ranker import bundle
from recsys.training.settings import TrainConfig

QUICK = ["--set", "optimizer.max_epochs=2", "--set", "loader.batch_size=256"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "dataset"
    size = ["--readers", "150", "--news", "120", "--days", "3", "--slates-per-reader", "10"]
    assert cli.run(["simulate", str(path), *size]) == 0
    return path


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    assert cli.run(["train", str(world), str(run), *QUICK]) == 0
    return run


def test_a_run_has_all_its_parts(finished):
    assert {path.name for path in finished.iterdir()} == {
        "config.toml",
        "metrics.json",
        "checkpoint",
        "bundle",
        "offline",
    }
    metrics = json.loads((finished / "metrics.json").read_text())
    for key in ("ndcg@10", "popularity_ndcg@10", "gain_ndcg@10", "true_ndcg@10"):
        assert metrics[key]["low"] <= metrics[key]["mean"] <= metrics[key]["high"]


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ("slates", "held-out slates"),
        ("next_click", "each reader's last click"),
        ("random", "held-out clicks"),
    ],
)
def test_what_was_asked_is_told_in_every_protocol(world, tmp_path, capsys, protocol, told):
    chosen = ["--set", f"split.protocol={protocol}", "--set", "optimizer.max_epochs=1"]
    assert cli.run(["train", str(world), str(tmp_path / "run"), *QUICK, *chosen]) == 0
    assert told in " ".join(capsys.readouterr().out.split())


def test_quality_by_truth_is_kept_reader_by_reader(finished):
    judged = pd.read_parquet(finished / "offline" / "true_relevance.parquet")
    assert list(judged.columns) == ["user_id", "true_ndcg@10"]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["true_ndcg@10"]["mean"] == pytest.approx(judged["true_ndcg@10"].mean())


def test_training_never_reads_the_truth(world, finished, tmp_path, capsys):
    blind = tmp_path / "dataset"
    shutil.copytree(world, blind, ignore=shutil.ignore_patterns("truth"))
    assert cli.run(["train", str(blind), str(tmp_path / "run"), *QUICK]) == 0
    assert "true relevance" not in capsys.readouterr().out
    assert not (tmp_path / "run" / "offline" / "true_relevance.parquet").exists()
    assert "true_ndcg@10" not in json.loads((tmp_path / "run" / "metrics.json").read_text())
    hashes = [
        bundle.load(run / "bundle").manifest.model_hash for run in (finished, tmp_path / "run")
    ]
    assert hashes[0] == hashes[1]


def test_a_runs_config_repeats_it_to_the_last_number(world, finished, tmp_path):
    config = str(finished / "config.toml")
    assert cli.run(["train", str(world), str(tmp_path / "again"), "--config", config]) == 0
    first, second = (
        json.loads((run / "metrics.json").read_text()) for run in (finished, tmp_path / "again")
    )
    assert first == second
    hashes = [
        bundle.load(run / "bundle").manifest.model_hash for run in (finished, tmp_path / "again")
    ]
    assert hashes[0] == hashes[1]


def test_provenance_names_code_and_data(finished, world):
    kept = load(TrainConfig, finished / "config.toml").provenance
    assert kept.dataset_sha256 == Dataset.open(world).info.sha256
    assert kept.git_revision


def test_a_complete_run_is_not_overwritten(world, finished, capsys):
    assert cli.run(["train", str(world), str(finished)]) == 2
    assert "complete run" in capsys.readouterr().err


def test_a_run_is_replaced_when_forced(world, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "audit.json").touch()
    assert cli.run(["train", str(world), str(run), *QUICK, "--force"]) == 0
    assert not (run / "audit.json").exists()


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_run_that_is_being_trained_is_left_alone(world, finished, tmp_path, capsys, options):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "metrics.json").unlink()  # as if it went on
    with alone(run, "train"):
        before = sorted(run.rglob("*"))
        assert cli.run(["train", str(world), str(run), *QUICK, *options]) == 2
        assert sorted(run.rglob("*")) == before
    at_work = f"recsys: {run}: another `recsys train` is at work there; wait for its end"
    assert capsys.readouterr().err.splitlines()[-1] == at_work


@pytest.mark.parametrize(
    "mistake",
    [
        ["--propensity", "nowhere"],
        ["--config", "nowhere.toml"],
        ["--set", "attributes.names=['shoe size']"],
        ["--set", "counterfactual.clip=5"],
    ],
)
def test_force_deletes_nothing_before_all_inputs_were_read(world, finished, mistake):
    before = sorted(finished.rglob("*"))
    assert cli.run(["train", str(world), str(finished), "--force", *mistake]) == 2
    assert sorted(finished.rglob("*")) == before


def test_force_deletes_no_folder_but_a_run(world, tmp_path, capsys):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "config.toml").write_text("of another program")
    assert cli.run(["train", str(world), str(tmp_path), "--force"]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}: is there already and is no run; expected" in said
    assert said.count("\n") == 1
    assert (tmp_path / "config.toml").exists()


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_run_has_a_folder_without_its_dataset(world, tmp_path, capsys, options):
    dataset = tmp_path / "dataset"
    shutil.copytree(world, dataset)
    for run in (dataset, tmp_path):
        assert cli.run(["train", str(dataset), str(run), *options]) == 2
        assert f"{run}: is or holds {dataset}; expected" in capsys.readouterr().err
    assert Dataset.open(dataset).info == Dataset.open(world).info


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fairness=fair", "'off', 'paper' or 'default'"),
        ("optimizer.max_epoch=1", "unknown key 'optimizer.max_epoch'"),
        ("model.dropout=1.5", "model.dropout: Input should be less than 1"),
        ("model.dim=7", "model.dim: Input should be a multiple of 4, found 7"),
        (
            "model.news.word_dim=10",
            "model.news.word_dim: Input should be a multiple of 4, found 10",
        ),
        ("model.heads=3", "model: Value error, heads: expected a divisor of dim (32), found 3"),
        ("model.news.heads=5", "news.heads: expected a divisor of dim (32), found 5"),
        ("optimizer.learning_rate=inf", "optimizer.learning_rate: Input should be a finite number"),
        ("loader.audience=0", "loader.audience: expected readers over whom fairness.balance is"),
        ("model.news.views=[]", "model.news.views: Tuple should have at least 1 item"),
        ("seed=4294967296", "seed: Input should be less than 4294967296"),
        ("fairness.balance_rate=1e3", "fairness.balance_rate: Input should be less than or equal"),
        ("attributes.names=['gender', 'gender']", "expected each attribute once"),
        ("fairness=3", "fairness: Input should be a valid dictionary"),
        ("fairness.preset=[1]", "fairness.preset: Input should be 'off', 'paper' or 'default'"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_written(world, tmp_path, capsys, setting, message):
    assert cli.run(["train", str(world), str(tmp_path / "run"), "--set", setting]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_dataset_is_named(tmp_path, capsys):
    assert cli.run(["train", str(tmp_path / "none"), str(tmp_path / "run")]) == 2
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("checkpoint", "tokenizer.json"),
        (".", "config.toml"),
        ("checkpoint", "best.pt"),
        ("offline", "bias_aware.safetensors"),
    ],
)
def test_a_full_disk_is_one_line_that_names_the_file(world, tmp_path, capsys, folder, file):
    aside = tmp_path / folder / f".{file}.writing"
    aside.parent.mkdir(exist_ok=True)
    aside.symlink_to("/dev/full")
    assert cli.run(["train", str(world), str(tmp_path), *QUICK]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"recsys: {tmp_path / folder / file}: cannot be written: ")


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_the_same_command_takes_up(world, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "pipelines.cli", "train", str(world), str(run)]
    settings = ["--set=fairness=off", "--set=optimizer.max_epochs=4", "--set=loader.batch_size=8"]
    going = subprocess.Popen([*command, *settings], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run / "checkpoint" / "best.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=60)
    assert going.returncode == 130, said
    assert f"goes on from {run / 'checkpoint' / 'latest.pt'}" in said.splitlines()[-1]
    assert not (run / "metrics.json").exists()
    again = subprocess.run([*command, *settings], capture_output=True, text=True, check=True)
    assert "going on from epoch" in again.stderr
    assert (run / "metrics.json").exists()


def test_the_bar_of_a_resumed_run_ends_at_its_total(world, tmp_path, monkeypatch):
    bars = []

    @contextmanager
    def shown(*fields):
        with progress(*fields) as bar:
            bars.append(bar)
            yield bar

    monkeypatch.setattr(train, "progress", shown)
    command = ["train", str(world), str(tmp_path / "run"), "--set", "optimizer.max_epochs=1"]
    with monkeypatch.context() as stopping:
        stopping.setattr(train, "_interruptible", lambda: nullcontext([signal.SIGINT]))
        assert cli.run([*command, "--set", "fairness=off"]) == 130
    assert cli.run([*command, "--set", "fairness=off"]) == 0
    (task,) = bars[-1].tasks
    assert task.completed == task.total


@pytest.fixture(scope="module")
def looks(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("looks") / "out"
    assert cli.run(["propensity", str(world), str(out), "--method", "em"]) == 0
    return out


def weighed(world, run, looks, *options):
    return cli.run(["train", str(world), str(run), "--propensity", str(looks), *QUICK, *options])


def test_a_weighted_run_says_what_it_was_weighted_with(world, finished, looks, tmp_path):
    run = tmp_path / "run"
    assert weighed(world, run, looks, "--set", "counterfactual.estimator=dr") == 0
    kept = load(TrainConfig, run / "config.toml")
    assert kept.counterfactual.estimator == "dr"
    digest = hashlib.sha256((looks / "weights.parquet").read_bytes()).hexdigest()
    assert kept.provenance.propensity.sha256 == digest
    assert kept.provenance.propensity.methods == ("em",)
    hashes = [bundle.load(each / "bundle").manifest.model_hash for each in (run, finished)]
    assert hashes[0] != hashes[1]
    config = ["--config", str(run / "config.toml")]
    assert weighed(world, tmp_path / "again", looks, *config) == 0
    again = bundle.load(tmp_path / "again" / "bundle").manifest.model_hash
    assert again == hashes[0]


def test_settings_of_weights_without_weights_are_refused(world, tmp_path, capsys):
    setting = ["--set", "counterfactual.clip=5"]
    assert cli.run(["train", str(world), str(tmp_path / "run"), *setting]) == 2
    assert "give --propensity OUT" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("counterfactual.estimator=magic", "'ips', 'snips' or 'dr'"),
        ("counterfactual.clip=0", "counterfactual.clip: Input should be greater than 0"),
    ],
)
def test_a_wrong_setting_of_weights_is_named(world, looks, tmp_path, capsys, setting, message):
    assert weighed(world, tmp_path / "run", looks, "--set", setting) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("split.protocol=next_click", "split.protocol is next_click; expected slates"),
        ("split.test=0.15", "estimated with held_out=0.2; expected at least 0.25"),
    ],
)
def test_weights_in_which_clicks_of_the_test_have_a_part_are_refused(
    world, looks, tmp_path, capsys, option, message
):
    assert weighed(world, tmp_path / "run", looks, "--set", option) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.0, 1.5, float("nan")])
def test_a_propensity_that_is_none_ends_with_one_line(world, looks, tmp_path, capsys, value):
    out, run = tmp_path / "out", tmp_path / "run"
    shutil.copytree(looks, out)
    table = pd.read_parquet(out / "weights.parquet")
    table.loc[17, "propensity"] = value
    table.to_parquet(out / "weights.parquet")
    assert weighed(world, run, out) == 2
    said = capsys.readouterr().err
    assert "row 17" in said
    assert "Traceback" not in said
    assert not run.exists()


def test_propensities_of_another_dataset_are_refused(world, looks, tmp_path, capsys):
    other = tmp_path / "other"
    size = ["--readers", "150", "--news", "120", "--days", "3", "--slates-per-reader", "10"]
    assert cli.run(["simulate", str(other), *size, "--seed", "1"]) == 0
    assert weighed(other, tmp_path / "run", looks) == 2
    said = capsys.readouterr().err
    assert "weights.parquet" in said
    assert "expected" in said


def test_a_run_goes_on_with_its_own_weights_only(world, looks, tmp_path, capsys):
    run = tmp_path / "run"
    assert weighed(world, run, looks) == 0
    (run / "metrics.json").unlink()  # as if it had been cut short at the very end
    other = tmp_path / "other"
    assert cli.run(["propensity", str(world), str(other), "--method", "harvesting"]) == 0
    before = (run / "config.toml").read_text()
    assert weighed(world, run, other) == 2
    assert "--propensity as it was" in capsys.readouterr().err
    assert (run / "config.toml").read_text() == before
    assert weighed(world, run, looks) == 0


@pytest.mark.parametrize("estimator", ["snips", "dr"])
def test_clicks_of_the_test_change_neither_weights_nor_model(world, tmp_path, estimator):
    poisoned = tmp_path / "poisoned"
    shutil.copytree(world, poisoned)
    flip_last_clicks(poisoned, share=0.1)
    hashes = []
    for dataset in (world, poisoned):
        looks, run = tmp_path / f"looks-{dataset.name}", tmp_path / f"run-{dataset.name}"
        methods = ["--method", "rate", "--method", "harvesting", "--set", "floor=0.2"]
        assert cli.run(["propensity", str(dataset), str(looks), *methods]) == 0
        chosen = [
            "--set",
            f"counterfactual.estimator={estimator}",
            "--set",
            "counterfactual.clip=1",
        ]
        assert weighed(dataset, run, looks, *chosen) == 0
        weights = hashlib.sha256((looks / "weights.parquet").read_bytes()).hexdigest()
        hashes.append((weights, bundle.load(run / "bundle").manifest.model_hash))
    assert hashes[0] == hashes[1]


def flip_last_clicks(dataset, share):
    """Turn every click of the last slates round, and sign the dataset anew."""
    path = dataset / "impressions.parquet"
    table = pq.read_table(path)
    log = table.select(["slate_id", "time", "clicked"]).to_pandas()
    slates = log.drop_duplicates("slate_id").sort_values(["time", "slate_id"])["slate_id"]
    last = log["slate_id"].isin(slates.iloc[round(len(slates) * (1 - share)) :])
    flipped = pa.array(log["clicked"] ^ last, pa.bool_())
    place = table.schema.get_field_index("clicked")
    pq.write_table(table.set_column(place, table.schema.field(place), flipped), path)
    info = json.loads((dataset / "dataset.json").read_text())
    info["sha256"]["impressions.parquet"] = hashlib.sha256(path.read_bytes()).hexdigest()
    info["counts"]["clicks"] = int((log["clicked"] ^ last).sum())
    (dataset / "dataset.json").write_text(json.dumps(info))
