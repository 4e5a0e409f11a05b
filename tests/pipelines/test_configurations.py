from pathlib import Path

import pytest

from pipelines.configurations import CONFIGS, along, default_config
from recsys.config import load
from recsys.training.objective import FairnessConfig
from recsys.training.settings import TrainConfig


@pytest.mark.parametrize("source", ["movielens", "simulation"])
def test_a_source_has_settings_of_its_own(source):
    class Fake:
        info = type("Info", (), {"source": f"{source}"})

    assert default_config(Fake()) == CONFIGS / f"{source}.toml"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_settings_that_come_along_are_valid_and_found_by_name(path):
    assert along(Path(path.stem)) == path
    assert load(TrainConfig, path).model.news.views


def test_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "movielens").write_text("seed = 3")
    assert along(Path("movielens")) == Path("movielens")


@pytest.mark.parametrize("preset", ["off", "paper", "default"])
def test_a_preset_is_a_recipe_and_leaves_who_is_protected_to_the_file(preset):
    chosen = load(TrainConfig, along(Path("movielens-random")), [f"fairness={preset}"])
    assert chosen.fairness == FairnessConfig(preset=preset)
    assert chosen.attributes.names == ("gender",)
