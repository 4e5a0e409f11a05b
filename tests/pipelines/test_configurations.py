from pathlib import Path

import pytest

from pipelines.configurations import CONFIGS, along, default_config
from recsys.config import load, load_over
from recsys.training.objective import FairnessConfig
from recsys.training.settings import TrainConfig


@pytest.mark.parametrize("source", ["movielens", "simulation"])
def test_a_source_has_settings_of_its_own(source):
    assert default_config(source) == CONFIGS / f"{source}.toml"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_settings_that_come_along_are_valid_and_found_by_name(path):
    assert along(Path(path.stem)) == path
    assert load(TrainConfig, path).model.news.views


def test_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "movielens").write_text("seed = 3")
    assert along(Path("movielens")) == Path("movielens")


def test_a_folder_of_that_name_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "movielens").mkdir()
    assert along(Path("movielens")) == CONFIGS / "movielens.toml"


@pytest.mark.parametrize("key", ["fairness", "fairness.preset"])
@pytest.mark.parametrize("preset", ["off", "paper", "default"])
def test_a_preset_is_a_recipe_and_leaves_who_is_protected_to_the_file(preset, key):
    chosen = load(TrainConfig, along(Path("movielens-random")), [f"{key}={preset}"])
    assert chosen.fairness == FairnessConfig(preset=preset)
    assert chosen.attributes.names == ("gender",)


def test_what_follows_a_preset_is_set_on_top_of_it():
    overrides = ["fairness.preset=paper", "fairness.adversarial=2.0"]
    chosen = load(TrainConfig, along(Path("simulation")), overrides)
    assert chosen.fairness == FairnessConfig(preset="paper", adversarial=2.0)


def test_a_tree_that_names_a_preset_wins_over_all_of_the_files_table():
    tree = {"fairness": {"preset": "paper", "adversarial": 2.0}}
    chosen = load_over(TrainConfig, along(Path("simulation")), tree)
    assert chosen.fairness == FairnessConfig(preset="paper", adversarial=2.0)
