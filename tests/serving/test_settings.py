from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.serving.settings import ServeSettings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ServeSettings.model_fields:
        monkeypatch.delenv(f"RECSYS_{name.upper()}", raising=False)


def test_every_setting_has_a_default():
    assert ServeSettings.read().port == 50051


def test_variables_overrule_defaults_and_arguments_overrule_variables(monkeypatch):
    monkeypatch.setenv("RECSYS_PORT", "6000")
    monkeypatch.setenv("RECSYS_MAX_BATCH", "8")
    settings = ServeSettings.read(port=7000, max_batch=None)
    assert (settings.port, settings.max_batch) == (7000, 8)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 70_000),
        ("port", "http"),
        ("device", "tpu"),
        ("explore", 1.5),
        ("max_batch", 0),
        ("precision", "float8"),
        ("poll_seconds", 0),
        ("max_wait_ms", "inf"),
        ("metrics_port", -1),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} .*found {value!r}"):
        ServeSettings.read(**{field: value})


def test_every_wrong_value_is_named_at_once():
    with pytest.raises(ConfigError, match=r"port .*; max_queue "):
        ServeSettings.read(port=-1, max_queue=0)


def test_a_wrong_variable_is_named(monkeypatch):
    # Kubernetes sets this for a service called "recsys"
    monkeypatch.setenv("RECSYS_PORT", "tcp://10.0.0.1:50051")
    with pytest.raises(ConfigError, match=r"RECSYS_PORT.*tcp://10"):
        ServeSettings.read()


def test_an_unknown_setting_is_an_error():
    with pytest.raises(ConfigError, match="prot"):
        ServeSettings.read(prot=1)


@pytest.mark.parametrize("token", ["s3cret\n", "sécret"])
def test_a_token_that_no_client_could_send_is_an_error(token):
    with pytest.raises(ConfigError, match=r"^token .*expected printable ASCII") as caught:
        ServeSettings.read(token=token)
    assert "cret" not in str(caught.value)


def test_the_token_is_never_shown():
    assert "s3cret" not in repr(ServeSettings.read(token="s3cret"))


@pytest.mark.parametrize("name", ServeSettings.model_fields)
def test_every_setting_is_documented(name):
    documentation = Path(__file__).parents[2] / "docs" / "serving.md"
    assert f"`RECSYS_{name.upper()}`" in documentation.read_text()
