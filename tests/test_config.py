import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import PositiveInt

from recsys.config import Config, load, load_over
from recsys.errors import ConfigError


class Optimizer(Config):
    rate: float = 0.1
    steps: PositiveInt = 5


class Limit(Config):
    speed: float = 1.0


class Settings(Config):
    seed: int
    name: str = "plain"
    optimizer: Optimizer = Optimizer()
    limit: Limit | None = None


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("seed = 1\n[optimizer]\nrate = 0.2\n")
    return path


def test_reads_nested_tables(path):
    assert load(Settings, path) == Settings(seed=1, optimizer=Optimizer(rate=0.2))


def test_overrides_win_and_leave_their_neighbours(path):
    settings = load(Settings, path, ["optimizer.steps=7", "name=fast one"])
    assert settings.optimizer == Optimizer(rate=0.2, steps=7)
    assert settings.name == "fast one"


def test_a_value_may_go_over_lines_and_a_switch_is_true_or_false(path):
    class Wide(Settings):
        sizes: tuple[int, ...] = ()
        on: bool = False

    settings = load(Wide, path, ["sizes=[1,\n2]", "on=true"])
    assert (settings.sizes, settings.on) == ((1, 2), True)


def test_a_tree_wins_key_by_key(path):
    settings = load_over(Settings, path, {"optimizer": {"steps": 7}, "seed": 3})
    assert settings == Settings(seed=3, optimizer=Optimizer(rate=0.2, steps=7))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_survives_an_override(rate):
    assert load(Settings, None, ["seed=0", f"optimizer.rate={rate!r}"]).optimizer.rate == rate


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sead=2", "unknown key 'sead'; expected one of seed, name, optimizer, limit"),
        ("optimizer.rat=1", r"unknown key 'optimizer\.rat'; expected one of rate, steps"),
        ("limit.sped=1", r"unknown key 'limit\.sped'; expected one of speed"),
        ("optimizer.steps=0", r"optimizer\.steps: .*greater than 0, found 0"),
        ("seed=x", "seed: .*valid integer.*found 'x'"),
        ("seed=true", "seed: Input should be a number, found True"),
        ("optimizer.steps=true", r"optimizer\.steps: Input should be a number, found True"),
        ("optimizer.rate=false", r"optimizer\.rate: Input should be a number, found False"),
        ("seed=1\nname='two'", "expected one value, found more settings below it"),
        ("seed=1\n[optimizer]", "expected one value, found more settings below it"),
        ("seed", "expected key=value"),
        ("seed.deep=1", "seed is a value"),
    ],
)
def test_mistakes_name_the_key_and_what_was_expected(path, override, message):
    with pytest.raises(ConfigError, match=message):
        load(Settings, path, [override])


def test_a_mistake_is_not_blamed_on_the_file_alone_where_something_overrules_it(path):
    with pytest.raises(ConfigError, match=r"^run\.toml or what overrules it: unknown key 'sead'"):
        load(Settings, path, ["sead=2"])


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match="seed: Field required"):
        load(Settings, None)


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.toml: not valid TOML"):
        load(Settings, tmp_path / "bad.toml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(Settings, tmp_path / "none.toml")
