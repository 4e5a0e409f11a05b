import json

from pipelines import cli
from recsys.data.queries import read


def test_a_collection_is_written_that_reads_back(capsys, tmp_path):
    out = tmp_path / "data"
    code = cli.run(
        ["simulate", str(out), "--kind", "ltr", "--set", "num_queries=50", "--seed", "3", "--json"]
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and told["queries"] == {"train": 35, "validation": 5, "test": 10}
    found = read(out)
    assert {name: len(part) for name, part in found.splits.items()} == told["queries"]
    assert found.splits["test"].features.shape[1] == told["features"] == 20


def test_a_collection_is_replaced_only_if_asked_to(capsys, tmp_path):
    command = ["simulate", str(tmp_path), "--kind", "ltr", "--set", "num_queries=10", "--set"]
    assert cli.run([*command, "num_features=3"]) == 0  # into an empty folder
    assert cli.run([*command, "num_features=4"]) == 2
    assert "a collection is there already" in " ".join(capsys.readouterr().err.split())
    assert cli.run([*command, "num_features=4", "--force"]) == 0
    assert read(tmp_path).splits["test"].features.shape[1] == 4


def test_settings_of_the_news_world_are_refused(capsys, tmp_path):
    assert cli.run(["simulate", str(tmp_path / "x"), "--kind", "ltr", "--readers", "9"]) == 2
    assert "unknown key 'readers'" in capsys.readouterr().err


def test_a_feature_is_not_enough_for_a_bend_of_two(capsys, tmp_path):
    settings = ["--kind", "ltr", "--set", "num_features=1"]
    assert cli.run(["simulate", str(tmp_path / "x"), *settings]) == 2
    assert "num_features: Input should be greater than or equal to 2" in capsys.readouterr().err
