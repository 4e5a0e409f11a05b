import pytest

from recsys.errors import ConfigError
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


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store",
        "http://host",
        "redis://host:port",
        "redis://localhost/staging",
        "redis://localhost/0?timeout=5",
        "rediss://localhost?db=one",
    ],
)
def test_what_is_no_store_is_refused(url):
    with pytest.raises(ConfigError, match="is no store: expected embedded://PATH"):
        open_store(url)


@pytest.mark.parametrize(
    "url", ["redis://:s#cret@host", "redis://:s/cret@host", "redis://[s:cret@"]
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match=r"is no store: expected embedded://PATH") as caught:
        open_store(url)
    assert "'s'" not in str(caught.value) and "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:1/2", "redis://host:1/2"),
        ("redis://:secret@host", "redis://***@host"),
        ("rediss://me:p@ss:w0rd@host/1", "rediss://***@host/1"),
        ("redis://host:1/2?password=secret&db=3", "redis://host:1/2?***"),
        ("unix://me@/run/redis.sock?password=secret", "unix://***@/run/redis.sock?***"),
        ("redis://host?password=se@cret", "***"),
        ("redis://:se?cret@host", "***"),
        ("me:secret@host", "***@host"),
        ("embedded://store", "embedded://store"),
        ("embedded://a@b?c", "embedded://a@b?c"),
    ],
)
def test_passwords_are_not_shown(url, shown):
    assert without_password(url) == shown
