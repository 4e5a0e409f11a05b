import pytest

from recsys.serving.probe import main, verdict
from recsys.serving.server import RANKING
from recsys.serving.settings import ServeSettings
from tests.serving import world


def settings(server, **given):
    return ServeSettings.read(port=int(server.address.rpartition(":")[2]), **given)


def test_a_server_with_a_version_is_alive_and_ready(server):
    assert verdict(settings(server), "") == verdict(settings(server), RANKING) == "SERVING"


def test_a_server_without_a_version_is_alive_and_not_ready(store):
    with world.serving(store) as server:
        assert verdict(settings(server), "") == "SERVING"
        assert verdict(settings(server), RANKING) == "NOT_SERVING"


def test_a_server_on_an_ipv6_address_is_reached(published):
    with world.serving(published, host="::1") as server:
        assert verdict(settings(server, host="::1"), "") == "SERVING"


def test_a_server_that_wants_certificates_is_shown_its_own(published, pair):
    cert, key = pair
    tls = {"tls_cert": cert, "tls_key": key, "tls_ca": cert}
    with world.serving(published, **tls) as server:
        assert verdict(settings(server, **tls), "") == "SERVING"


def test_an_unknown_service_is_not_healthy(server):
    assert "NOT_FOUND" in verdict(settings(server), "recsys.Nothing")


def test_the_exit_code_is_the_answer(server, monkeypatch, capsys):
    monkeypatch.setenv("RECSYS_PORT", str(settings(server).port))
    monkeypatch.setenv("RECSYS_HOST", "0.0.0.0")
    assert main([RANKING]) == 0
    assert capsys.readouterr().err == "SERVING\n"


@pytest.mark.parametrize("port", ["1", "http"])
def test_nobody_there_or_wrong_settings_is_one_line_and_not_healthy(monkeypatch, capsys, port):
    monkeypatch.setenv("RECSYS_PORT", port)
    assert main([]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
