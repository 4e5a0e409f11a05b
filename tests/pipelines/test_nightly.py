import hashlib
import json

import pytest

from pipelines import cli
from recsys.config import load
from recsys.data.dataset import Dataset
from recsys.folders import alone
from recsys.store.connect import open_store
from recsys.training.settings import TrainConfig

CONFIG = """
out = "{root}/nights"
redis = "embedded://{root}/store"

[simulate]
readers = 400
news = 100
days = 2
slates_per_reader = 12
position_bias = 0.0

[train.optimizer]
max_epochs = 1

[audit]
num_samples = 50
attributes = ["gender"]
list_lengths = [10]
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


def nights(root):
    return sorted((root / "nights").glob("*T*"))


@pytest.fixture
def cut_short(tmp_path, monkeypatch):
    """Begin a night that breaks at its first step; return its folder."""

    def begin(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.nightly.simulate", lambda *_: 1 / 0)
            patch.setattr("pipelines.nightly.train", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                cli.run(["nightly", *arguments])
        return nights(tmp_path)[-1]

    return begin


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
    (night,) = nights(tmp_path)
    assert {path.name for path in night.iterdir()} == {
        "begun.json",
        "dataset",
        "run",
        "outcome.json",
    }
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
    (night,) = nights(tmp_path)
    trained = (night / "run" / "metrics.json").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.run(["nightly", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["night"] == night.name
    assert (night / "run" / "metrics.json").stat().st_mtime_ns == trained


def of_yesterday(night):
    return night.rename(night.with_name("20260501T030000"))


@pytest.mark.parametrize(
    "setting", ["audit.thresholds.max_leakage=0.6", "train.seed=7", "simulate.seed=7"]
)
def test_a_night_that_was_cut_short_is_abandoned_after_a_change(
    tmp_path, cut_short, capsys, setting
):
    path = config(tmp_path, 1.0)
    old = of_yesterday(cut_short(path))
    new = cut_short(path, "--set", setting)
    assert nights(tmp_path) == [old, new]
    assert json.loads((old / "outcome.json").read_text())["abandoned"]
    assert f"{old}: abandoned, as it was begun with other settings" in capsys.readouterr().err
    assert cut_short(path, "--set", setting) == new


def test_a_night_is_abandoned_when_the_dataset_given_to_it_has_changed(tmp_path, cut_short):
    path, data = tmp_path / "nightly.toml", tmp_path / "data"
    path.write_text(f'out = "{tmp_path}/nights"\ndataset = "{data}"')
    size = ["--readers", "50", "--news", "90", "--days", "2", "--slates-per-reader", "5"]
    assert cli.run(["simulate", str(data), *size]) == 0
    old = of_yesterday(cut_short(str(path)))
    assert cut_short(str(path)) == old
    assert cli.run(["simulate", str(data), *size, "--seed", "1", "--force"]) == 0
    assert cut_short(str(path)) != old


def test_a_night_that_its_data_make_fail_is_abandoned_when_the_raw_log_has_grown(tmp_path, capsys):
    raw, path = tmp_path / "raw", tmp_path / "nightly.toml"
    raw.mkdir()
    path.write_text(f'out = "{tmp_path}/nights"\n[ingest]\nsource = "mind"\nraw = "{raw}"')
    (raw / "news.tsv").write_text("N1\tnews\tworld\tTitle\tAbstract\turl\t[]\t[]\n")
    visit = "{}\tU1\t11/15/2019 9:05:58 AM\tN1\tN1-1 N2-0\n".format
    (raw / "behaviors.tsv").write_text(visit(1))
    assert cli.run(["nightly", str(path)]) == 2  # one slate cannot be split
    old = of_yesterday(*nights(tmp_path))
    assert cli.run(["nightly", str(path)]) == 2
    assert nights(tmp_path) == [old]  # it goes on, as nothing has changed
    with (raw / "behaviors.tsv").open("a") as file:
        file.write(visit(2))
    assert cli.run(["nightly", str(path)]) == 2
    assert json.loads((old / "outcome.json").read_text())["abandoned"]
    assert Dataset.open(nights(tmp_path)[-1] / "dataset").info.counts.slates == 2


def test_a_night_may_be_published_elsewhere_and_keeps_no_password(tmp_path, cut_short):
    path = config(tmp_path, 1.0)
    night = cut_short(path, "--redis", "redis://:secret@localhost")
    assert cut_short(path, "--redis", "redis://:other@localhost") == night
    assert "secret" not in (night / "begun.json").read_text()


def test_two_nights_at_once_are_refused(tmp_path, capsys):
    path = config(tmp_path, 1.0)
    with alone(tmp_path / "nights", "nightly"):
        assert cli.run(["nightly", path]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}/nights: another `recsys nightly` is at work there" in said
    assert said.count("\n") == 1
    assert not nights(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('out = "x"', "exactly one of ingest, simulate and dataset, found none"),
        ('out = "x"\ndataset = "d"\n[simulate]', "found ['simulate', 'dataset']"),
        ('out = "x"\n[ingest]\nsource = "mnd"\nraw = "r"', "source is one of adressa"),
        ('out = "{out}"\ndataset = "nowhere"', "nowhere/dataset.json"),
        ('out = "{out}"\n[simulate]\n[train]\nsed = 1', "train: unknown key 'sed'"),
        ('out = "x"\nkep = 3\ndataset = "d"', "unknown key 'kep'"),
    ],
)
def test_a_wrong_config_is_one_line_and_exit_code_2(tmp_path, capsys, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text.replace("{out}", str(tmp_path / "nights")))
    assert cli.run(["nightly", str(path)]) == 2
    assert not nights(tmp_path)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_night_can_estimate_propensities_and_train_with_them(tmp_path, capsys):
    wanted = ["--set", "propensity.method=['em']", "--json"]
    assert cli.run(["nightly", config(tmp_path, 1.0), *wanted]) == 0
    assert json.loads(capsys.readouterr().out)["published"]
    (night,) = nights(tmp_path)
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
