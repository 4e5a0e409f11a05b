"""Deleting from Redis in short steps, so that no request waits behind it."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from recsys.store import layout
from recsys.store.base import VersionMeta
from recsys.types import Space, Version

_KEYS_A_STEP = 1_000
_ABANDONED_SECONDS = 3_600
_DELETE_VERSION = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return 0 end
local num_chunks = tonumber(redis.call('HGET', KEYS[3], 'news_chunks') or 0)
for i = 0, num_chunks - 1 do redis.call('UNLINK', ARGV[2] .. i) end
redis.call('UNLINK', KEYS[3], KEYS[4])
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

    A publish may be writing into a space without a version: it is left alone for an hour after the
    last write.
    """
    metas = versions()
    old = [
        meta
        for meta in metas[: max(len(metas) - keep, 0)]
        if meta.version != spare and _delete_version(client, keys, meta.version)
    ]
    spaces = client.zrange(keys.spaces, 0, -1, withscores=True)
    used = {meta.space for meta in versions()}  # asked after: a publish may commit in between
    for name, written in spaces:
        space = Space(name.decode())
        if space not in used and written < now - _ABANDONED_SECONDS:
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


def _delete_version(client: Any, keys: layout.Keys, version: Version) -> bool:
    """Delete a version, but for its space, unless it is live: in one step, so wholly or not at all.

    The step is short: Redis frees what is unlinked on a thread of its own.
    """
    parts = (keys.meta(version), keys.part(version, "encoder"))
    chunks = keys.part(version, "news:")
    return bool(client.eval(_DELETE_VERSION, 4, keys.versions, keys.live, *parts, version, chunks))


def _delete_space(client: Any, keys: layout.Keys, space: Space) -> None:
    unlink_matching(client, keys.vectors(space))
    client.unlink(keys.models(space))
    client.zrem(keys.spaces, space)  # last: a prune that is killed is finished by the next one
