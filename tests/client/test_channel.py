import pytest

from recsys.client import Tls
from recsys.client.channel import connect, metadata
from recsys.errors import ConfigError


def test_a_token_travels_as_a_bearer():
    assert metadata("s3cret") == (("authorization", "Bearer s3cret"),)
    assert metadata(None) == ()


@pytest.mark.parametrize("token", ["s3cret\n", "sécret"])
def test_a_token_that_no_header_carries_is_an_error_that_does_not_show_it(token):
    with pytest.raises(ConfigError, match=r"^token: expected printable ASCII") as caught:
        metadata(token)
    assert "cret" not in str(caught.value)


def test_a_missing_certificate_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.pem: No such file"):
        connect("localhost:1", Tls(ca=tmp_path / "none.pem"))


@pytest.mark.parametrize("part", ["cert", "key"])
def test_half_of_a_clients_certificate_is_an_error(tmp_path, part):
    """Left to gRPC it ends the process, at the first call."""
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----")
    with pytest.raises(ConfigError, match="cert, key: expected both"):
        connect("localhost:1", Tls(**{part: tmp_path / "half.pem"}))
