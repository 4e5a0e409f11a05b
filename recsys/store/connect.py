"""From a URL to a store: the one place that chooses."""

from urllib.parse import quote, urlsplit

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from recsys.errors import ConfigError
from recsys.store.base import Limits, Store
from recsys.store.embedded import EmbeddedServer
from recsys.store.redis import RedisStore

EMBEDDED = "embedded://"
REMOTE = ("redis", "rediss", "unix")
_CONNECT_SECONDS = 2.0
_REPLY_SECONDS = 30.0  # the longest command reads 8 MiB
_RETRIES = 2


def open_store(url: str, prefix: str = "recsys:", limits: Limits | None = None) -> Store:
    """Connect to a store, starting an embedded one where no process has done so yet.

    Args:
        url: ``embedded://PATH`` (a folder; data survive), ``redis://HOST:PORT/DB``,
            ``rediss://…`` (TLS) or ``unix:///PATH/TO/SOCKET``.
        prefix: Of every key; several products can share a Redis.
        limits: Caps of histories and events.

    Raises:
        ConfigError: The URL is none of these.
        StoreUnavailable: There is no Redis, it does not let us in, or it cannot be started.
    """
    server = EmbeddedServer(url.removeprefix(EMBEDDED)) if url.startswith(EMBEDDED) else None
    store = RedisStore(
        _client(f"unix://{quote(str(server.socket))}" if server else url),
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
    """Show a URL in logs and messages."""
    if "@" not in url:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}"


def _client(url: str) -> Redis:
    expected = "expected embedded://PATH, redis://HOST:PORT/DB, rediss://… or unix:///SOCKET"
    if urlsplit(url).scheme not in REMOTE:
        raise ConfigError(f"{without_password(url)!r} is no store: {expected}")
    try:
        return Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_REPLY_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), _RETRIES),
        )
    except (ValueError, RedisError) as error:
        raise ConfigError(f"{without_password(url)!r}: {error}; {expected}") from None
