import json
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from pipelines import cli
from pipelines.train import default_config
from recsys.config import load
from recsys.data.dataset import Dataset
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


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fairness=fair", "'off', 'paper' or 'default'"),
        ("optimizer.max_epoch=1", "unknown key 'optimizer.max_epoch'"),
        ("model.dropout=1.5", "model.dropout: Input should be less than 1"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_written(world, tmp_path, capsys, setting, message):
    assert cli.run(["train", str(world), str(tmp_path / "run"), "--set", setting]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_dataset_is_named(tmp_path, capsys):
    assert cli.run(["train", str(tmp_path / "none"), str(tmp_path / "run")]) == 2
    assert "none" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_the_same_command_takes_up(world, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "pipelines.cli", "train", str(world), str(run)]
    settings = ["--set", "optimizer.max_epochs=4", "--set", "loader.batch_size=8"]
    going = subprocess.Popen([*command, *settings], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run / "checkpoint" / "best.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=60)
    assert going.returncode == 130, said
    assert not (run / "metrics.json").exists()
    again = subprocess.run([*command, *settings], capture_output=True, text=True, check=True)
    assert "going on from epoch" in again.stderr
    assert (run / "metrics.json").exists()


@pytest.mark.parametrize("source", ["movielens", "simulation"])
def test_settings_for_a_source_are_valid(source):
    class Fake:
        info = type("Info", (), {"source": f"{source}"})

    path = default_config(Fake())
    assert path is not None
    assert load(TrainConfig, path).model.news.views
