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


def test_settings_of_the_news_world_are_refused(capsys, tmp_path):
    assert cli.run(["simulate", str(tmp_path / "x"), "--kind", "ltr", "--readers", "9"]) == 2
    assert "unknown key 'readers'" in capsys.readouterr().err
