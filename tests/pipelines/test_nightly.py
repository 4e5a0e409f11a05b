import hashlib
import json

import pytest

from pipelines import cli
from recsys.config import load
from recsys.store.connect import open_store
from recsys.training.settings import TrainConfig

CONFIG = """
out = "{root}/nights"
redis = "embedded://{root}/store"

[simulate]
readers = 400
news = 150
days = 3
slates_per_reader = 20
position_bias = 0.0

[train.optimizer]
max_epochs = 2

[audit]
num_samples = 50
[audit.thresholds]
max_leakage = {max_leakage}
max_unmeasured = 0.5
[audit.leakage]
attackers = ["logistic regression"]
num_samples = 50
"""


def config(root, max_leakage):
    path = root / "nightly.toml"
    path.write_text(CONFIG.format(root=root, max_leakage=max_leakage))
    return str(path)


def live(root):
    store = open_store(f"embedded://{root}/store")
    try:
        return [str(one.version) for one in store.versions()], str(store.live())
    finally:
        store.close()


@pytest.mark.slow
def test_a_night_publishes_and_a_failed_audit_leaves_the_live_version(tmp_path, capsys):
    assert cli.run(["nightly", config(tmp_path, 1.0), "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    (night,) = (tmp_path / "nights").iterdir()
    assert {path.name for path in night.iterdir()} == {"dataset", "run", "outcome.json"}
    assert live(tmp_path) == ([outcome["version"]], outcome["version"])

    assert cli.run(["nightly", config(tmp_path, 0.5001), "--set", "simulate.seed=1"]) == 3
    assert live(tmp_path) == ([outcome["version"]], outcome["version"])


@pytest.mark.slow
def test_a_night_that_was_cut_short_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    path = config(tmp_path, 1.0)
    monkeypatch.setattr("pipelines.nightly.audit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.run(["nightly", path])
    monkeypatch.undo()
    (night,) = (tmp_path / "nights").iterdir()
    trained = (night / "run" / "metrics.json").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.run(["nightly", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["night"] == night.name
    assert (night / "run" / "metrics.json").stat().st_mtime_ns == trained


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('out = "x"', "exactly one of ingest, simulate and dataset, found none"),
        ('out = "x"\ndataset = "d"\n[simulate]', "found ['simulate', 'dataset']"),
        ('out = "x"\n[ingest]\nsource = "mnd"\nraw = "r"', "source is one of adressa"),
        ('out = "x"\nkep = 3\ndataset = "d"', "unknown key 'kep'"),
    ],
)
def test_a_wrong_config_is_one_line_and_exit_code_2(tmp_path, capsys, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert cli.run(["nightly", str(path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_night_can_estimate_propensities_and_train_with_them(tmp_path, capsys):
    wanted = ["--set", "propensity.method=['em']", "--json"]
    assert cli.run(["nightly", config(tmp_path, 1.0), *wanted]) == 0
    assert json.loads(capsys.readouterr().out)["published"]
    (night,) = (tmp_path / "nights").iterdir()
    origin = load(TrainConfig, night / "run" / "config.toml").provenance.propensity
    assert origin.methods == ("em",)
    assert (
        origin.sha256
        == hashlib.sha256((night / "propensity" / "weights.parquet").read_bytes()).hexdigest()
    )


def test_an_unknown_propensity_method_is_named(tmp_path, capsys):
    wanted = ["--set", "propensity.method=['guess']"]
    assert cli.run(["nightly", config(tmp_path, 1.0), *wanted]) == 2
    assert "method is some of logged, rate" in capsys.readouterr().err
