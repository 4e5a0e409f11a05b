"""From a URL to a store: the one place that chooses."""

import re
from typing import Any
from urllib.parse import urlsplit

from redis import ConnectionPool, Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from recsys.errors import ConfigError
from recsys.store.base import Limits, Store
from recsys.store.embedded import EmbeddedConnection, EmbeddedServer
from recsys.store.redis import RedisStore

EMBEDDED = "embedded://"
_REMOTE_URL = re.compile(r"(\w+://)?([^?]*@)?([^?@]*)(\?[^@]*)?")
_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    # Not after a timeout: what was sent may still be done, and a report done twice counts twice.
    "retry": Retry(ExponentialBackoff(cap=0.2, base=0.05), 2, (RedisConnectionError,)),
}


def open_store(
    url: str,
    prefix: str = "recsys:",
    limits: Limits | None = None,
    *,
    timeout_seconds: float = 30.0,
) -> Store:
    """Connect to a store, starting an embedded one where no process has done so yet.

    Args:
        url: ``embedded://PATH`` (a folder; data survive), ``redis://HOST:PORT/DB``,
            ``rediss://…`` (TLS) or ``unix:///PATH/TO/SOCKET``.
        prefix: Of every key; several products can share a Redis.
        limits: Caps of histories and events.
        timeout_seconds: Longest wait for Redis to go on with an answer, which may be of 8 MiB.

    Raises:
        ConfigError: The URL is none of these.
        StoreUnavailable: There is no Redis, it does not let us in, or it cannot be started.
    """
    server = EmbeddedServer(url.removeprefix(EMBEDDED)) if url.startswith(EMBEDDED) else None
    store = RedisStore(
        _embedded(server, timeout_seconds) if server else _remote(url, timeout_seconds),
        name=without_password(url),
        prefix=prefix,
        limits=limits,
        on_close=server.close if server else lambda: None,
    )
    try:
        store.ping()
    except BaseException:
        store.close()
        raise
    return store


def without_password(url: str) -> str:
    """Show a URL in logs and messages: neither who logs in nor any option, one may be a password.

    Nothing at all is shown of a URL with an unquoted ``@`` or ``?`` that could belong to either.
    """
    if url.startswith(EMBEDDED):
        return url
    if not (parts := _REMOTE_URL.fullmatch(url)):
        return "***"
    scheme, user, place, options = parts.groups("")
    return f"{scheme}{'***@' if user else ''}{place}{'?***' if options else ''}"


def _embedded(server: EmbeddedServer, timeout_seconds: float) -> Redis:
    return Redis.from_pool(
        ConnectionPool(
            connection_class=EmbeddedConnection,
            server=server,
            socket_timeout=timeout_seconds,
            **_OPTIONS,
        )
    )


def _remote(url: str, timeout_seconds: float) -> Redis:
    try:
        client = Redis.from_url(url, socket_timeout=timeout_seconds, **_OPTIONS)
        client.connection_pool.make_connection()  # tells an option that there is not
        if not url.startswith("unix:"):
            int(urlsplit(url).path.strip("/") or 0)  # the library takes another word for 0
    except (TypeError, ValueError, RedisError):  # its text may quote a part of the password
        raise ConfigError(
            f"{without_password(url)!r} is no store: expected embedded://PATH, "
            "redis://HOST:PORT/DB, rediss://… or unix:///SOCKET"
        ) from None
    return client
