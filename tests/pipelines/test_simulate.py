import hashlib
import json

import pyarrow.parquet as pq
import pytest

from pipelines import cli
from recsys.data.dataset import Dataset
from recsys.simulation.truth import Truth

SMALL = ["--readers", "200", "--news", "120", "--days", "2", "--slates-per-reader", "5"]


def simulate(out, *options):
    return cli.run(["simulate", str(out), *SMALL, *options])


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "dataset"
    assert simulate(out, "--seed", "5") == 0
    return out


def test_the_dataset_is_canonical(dataset):
    opened = Dataset.open(dataset)
    counts = opened.check()
    assert counts.readers == 200
    assert counts.news == 120
    assert counts.impressions == 10 * counts.slates
    assert counts.unknown_news == counts.without_text == 0
    assert opened.info.attributes == ["gender", "age_band"]


def test_the_same_seed_gives_the_same_bytes(dataset, tmp_path):
    assert simulate(tmp_path / "again", "--seed", "5") == 0
    assert digests(tmp_path / "again") == digests(dataset)


def test_another_seed_gives_another_log(dataset, tmp_path):
    assert simulate(tmp_path / "other", "--seed", "6") == 0
    other = digests(tmp_path / "other")
    same = {name for name, digest in digests(dataset).items() if other[name] == digest}
    assert same == {"truth/examination.parquet"}


def test_what_is_true_stays_in_the_truth_folder(dataset):
    columns = {file.stem: set(pq.read_schema(file).names) for file in dataset.glob("*.parquet")}
    attributes = columns.pop("attributes")
    assert attributes == {"user_id", "gender", "age_band"}
    secrets = {
        name
        for file in (dataset / "truth").glob("*.parquet")
        for name in pq.read_schema(file).names
    }
    ids = {"user_id", "news_id", "slate_id", "position"}
    assert not (secrets - ids) & set.union(*columns.values())


def test_known_attributes_are_true_and_some_are_missing(dataset):
    known = Dataset.open(dataset).attributes.set_index("user_id")
    true = Truth.load(dataset).attributes.loc[known.index]
    for name in true:
        is_known = known[name].notna()
        assert 0 < (~is_known).sum() < 0.25 * len(known)
        assert (known[name][is_known] == true[name][is_known]).all()


def test_clicks_come_by_chance_of_examination_and_relevance(dataset):
    public = Dataset.open(dataset).impressions
    truth = pq.read_table(dataset / "truth" / "impressions.parquet").to_pandas()
    expected = (truth["relevance"] * truth["examination"]).to_numpy()
    error = (expected * (1 - expected)).sum() ** 0.5
    assert abs(public["clicked"].sum() - expected.sum()) < 4 * error


def test_json_prints_one_object_with_the_counts(tmp_path, capsys):
    assert simulate(tmp_path / "out", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    counts = Dataset.open(tmp_path / "out").info.counts
    for key in ("readers", "news", "slates", "impressions", "clicks"):
        assert printed[key] == getattr(counts, key)
    assert printed["settings"]["days"] == 2


def test_a_dataset_that_is_there_is_kept_unless_forced(tmp_path, capsys):
    out = tmp_path / "out"
    assert simulate(out) == 0
    before = digests(out)
    assert simulate(out, "--seed", "1") == 2
    assert "--force" in capsys.readouterr().err
    assert digests(out) == before
    assert simulate(out, "--seed", "1", "--force") == 0
    assert digests(out) != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--readers", "0"], "readers: Input should be greater than or equal to 1, found 0"),
        (["--position-bias", "-1"], "position_bias: Input should be greater than or equal to 0"),
        (["--news", "5"], "news: expected at least slate (10), found 5"),
        (["--news", "15"], "alive in some hour"),
        (["--set", "colour=red"], "unknown key 'colour'"),
    ],
)
def test_a_bad_setting_is_one_line_and_leaves_nothing(tmp_path, capsys, options, message):
    assert simulate(tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err.replace("\n", "")
    assert not list(tmp_path.iterdir())


def test_options_win_over_set_and_set_over_the_file(tmp_path, capsys):
    file = tmp_path / "world.toml"
    file.write_text("slate = 4\nnoise = 0.5\nseed = 9\n")
    options = ["--config", str(file), "--set", "noise=0.25", "--seed", "8", "--json"]
    assert simulate(tmp_path / "out", *options) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["slate"], settings["noise"], settings["seed"]) == (4, 0.25, 8)
