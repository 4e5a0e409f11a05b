import pytest

from recsys import config
from recsys.errors import ConfigError
from recsys.simulation.config import WorldConfig
from recsys.simulation.ltr import RankingWorld


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("readers=0", "readers: .*greater than or equal to 1, found 0"),
        ("days=0", "days: .*greater than or equal to 1"),
        ("attribute_bias=-1", "attribute_bias: .*greater than or equal to 0, found -1"),
        ("position_bias=nan", "position_bias: .*"),
        ("exploration=0", "exploration: .*greater than 0"),
        ("missing=1.5", "missing: .*less than or equal to 1"),
        ("news=9", r"news: expected at least slate \(10\), found 9"),
        ("slates_per_reader=71", "slates_per_reader: expected 1 to 70"),
        ("start=2026-01-05T00:00:00", "start: .*with its zone"),
        ("attributes.gender.female=1", "gender: expected two or more values"),
        ("seed=4294967296", "seed: .*less than 4294967296"),
        ("readrs=5", "unknown key 'readrs'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_range(setting, expected):
    with pytest.raises(ConfigError, match=expected):
        config.load(WorldConfig, None, [setting])


def test_every_simulation_takes_the_seeds_that_all_else_takes():
    with pytest.raises(ConfigError, match=r"seed: .*less than 4294967296"):
        config.load(RankingWorld, None, [f"seed={2**32}"])
