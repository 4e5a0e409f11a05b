import pytest

from recsys.errors import ConfigError, StoreUnavailable
from recsys.store.connect import open_store, without_password


def test_a_running_redis_is_joined_by_its_socket(server, prefix):
    store = open_store(f"unix://{server.socket}", prefix)
    store.forget("u1")
    store.close()
    again = open_store(f"unix://{server.socket}", prefix)
    assert again.is_forgotten(["u1", "u2"]) == [True, False]
    again.close()


def test_prefixes_keep_stores_apart(server, prefix):
    one, other = (open_store(f"unix://{server.socket}", prefix + end) for end in ("a:", "b:"))
    one.forget("u1")
    assert other.is_forgotten(["u1"]) == [False]
    one.close()
    other.close()


@pytest.mark.parametrize("url", ["", "store", "http://host", "redis://host:port", "redis://host/a"])
def test_what_is_no_store_is_refused(url):
    with pytest.raises((ConfigError, StoreUnavailable), match=r"expected|connect"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:1/2", "redis://host:1/2"),
        ("redis://:secret@host", "redis://***@host"),
        ("rediss://me:p@ss:w0rd@host/1", "rediss://***@host/1"),
        ("embedded://store", "embedded://store"),
    ],
)
def test_passwords_are_not_shown(url, shown):
    assert without_password(url) == shown
