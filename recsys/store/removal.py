"""Deleting from Redis in small steps, so that no request waits behind it."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from recsys.store import layout
from recsys.store.base import VersionMeta
from recsys.types import Space, Version

_KEYS_A_STEP = 1_000
_ABANDONED_SECONDS = 3_600
_RETIRE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
"""


def prune(
    versions: Callable[[], list[VersionMeta]],
    client: Any,
    keys: layout.Keys,
    *,
    keep: int,
    spare: Version | None,
    now: float,
) -> list[Version]:
    """Delete all but the newest ``keep`` versions, the live one and ``spare``, and unused spaces.

    A space without a version may belong to a publish under way: it is left alone for an hour after
    its last write.
    """
    metas = versions()
    old = [
        meta
        for meta in metas[: max(len(metas) - keep, 0)]
        if meta.version != spare and _retire(client, keys, meta.version)
    ]
    for meta in old:
        _delete_version(client, keys, meta.version)
    used = {meta.space for meta in versions()}
    left = {meta.space for meta in old}
    for name, written in client.zrange(keys.spaces, 0, -1, withscores=True):
        space = Space(name.decode())
        if space not in used and (space in left or written < now - _ABANDONED_SECONDS):
            _delete_space(client, keys, space)
    return [meta.version for meta in old]


def unlink_matching(client: Any, pattern: bytes, *, spare: Collection[bytes] = ()) -> None:
    """Unlink the keys that match, a step at a time."""
    for batch in _steps(client, pattern):
        doomed = [key for key in batch if key not in spare]
        if doomed:
            client.unlink(*doomed)


def _steps(client: Any, pattern: bytes) -> Iterator[list[bytes]]:
    cursor = -1
    while cursor != 0:
        cursor, batch = client.scan(max(cursor, 0), match=pattern, count=_KEYS_A_STEP)
        yield batch


def _retire(client: Any, keys: layout.Keys, version: Version) -> bool:
    """Take a version off the list unless it is live, in one step."""
    return bool(client.eval(_RETIRE, 2, keys.versions, keys.live, version))


def _delete_version(client: Any, keys: layout.Keys, version: Version) -> None:
    num_chunks = int(client.hget(keys.meta(version), "news_chunks") or 0)
    for i in range(num_chunks):
        client.unlink(keys.part(version, f"news:{i}"))
    client.unlink(keys.part(version, "encoder"), keys.meta(version))


def _delete_space(client: Any, keys: layout.Keys, space: Space) -> None:
    unlink_matching(client, keys.vectors(space))
    client.unlink(keys.models(space))
    client.zrem(keys.spaces, space)  # last: a prune that is killed is finished by the next one
