"""The production store: Redis 6.2 or newer, laid out as `recsys.store.layout` describes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from redis import Redis
from typing_extensions import override

from recsys.errors import CheckpointError, SpaceMismatch, VersionNotFound
from recsys.store import layout, removal
from recsys.store.base import Event, Limits, Store, VersionMeta
from recsys.store.erasure import Erasure
from recsys.store.publication import Publication
from recsys.store.reachable import reachable
from recsys.types import NewsId, ServedVectors, Space, UserId, Version

_EVENTS_A_READ = 1_000
_READS_OF_NEWS = 3
_ACTIVATE = """
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1
"""


class RedisStore(Store):
    """A `Store` in Redis, for many threads and processes at once."""

    def __init__(
        self,
        client: Redis,
        *,
        name: str,
        prefix: str = "recsys:",
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Take over a client.

        Args:
            client: Replies as bytes (``decode_responses=False``); closed with the store.
            name: What error messages call it, without a password.
            prefix: Of every key.
            limits: Caps of histories and events.
            clock: Seconds since the epoch.
            on_close: Called after the client is closed.
        """
        self._redis: Any = client  # redis-py types replies for sync and async clients alike
        self.name = name
        self._keys = layout.Keys(prefix)
        self._erasure = Erasure(client, self._keys)
        self._limits = limits or Limits()
        self._clock = clock
        self._on_close = on_close
        self._activate = self._redis.register_script(_ACTIVATE)
        self._accepted: dict[Space, set[bytes]] = {}

    @override
    @reachable
    def publish(
        self,
        meta: VersionMeta,
        *,
        news: bytes,
        encoder: bytes,
        vectors: Iterable[tuple[Sequence[UserId], ServedVectors]],
        clicks: Iterable[tuple[UserId, Sequence[NewsId]]],
        activate: bool = True,
    ) -> None:
        shared = any(
            other.space == meta.space and other.version != meta.version for other in self.versions()
        )
        publication = Publication(self._redis, self._keys, self._erasure, meta)
        publication.write_vectors(vectors, now=self._clock, replace=not shared)
        publication.seed(clicks, self._limits)
        publication.commit(news, encoder, activate=activate)
        publication.remove_stale()

    @override
    @reachable
    def versions(self) -> list[VersionMeta]:
        names = self._redis.zrange(self._keys.versions, 0, -1)
        with self._redis.pipeline(transaction=False) as read:
            for name in names:
                read.hgetall(self._keys.meta(Version(name.decode())))
            return [layout.unpack_meta(fields) for fields in read.execute() if fields]

    @override
    @reachable
    def meta(self, version: Version) -> VersionMeta:
        return layout.unpack_meta(self._fields(version))

    @override
    @reachable
    def live(self) -> Version:
        name = self._redis.get(self._keys.live)
        if name is None:
            raise VersionNotFound(f"{self.name}: nothing was published yet; see recsys publish")
        return Version(name.decode())

    @override
    @reachable
    def activate(self, version: Version) -> None:
        if not self._activate(keys=[self._keys.versions, self._keys.live], args=[version]):
            raise self._not_found(version)

    @override
    @reachable
    def prune(self, keep: int, *, spare: Version | None = None) -> list[Version]:
        return removal.prune(
            self.versions, self._redis, self._keys, keep=keep, spare=spare, now=self._clock()
        )

    @override
    @reachable
    def news(self, version: Version) -> bytes:
        for _ in range(_READS_OF_NEWS):  # a version published again meanwhile is read again
            fields = self._fields(version)
            chunks = [
                self._redis.get(self._keys.part(version, f"news:{i}")) or b""
                for i in range(int(fields[b"news_chunks"]))
            ]
            data = b"".join(chunks)
            if layout.digest(data) == fields[b"news_digest"]:
                return data
        raise CheckpointError(f"{self.name}: the news of {version} are damaged; publish it again")

    @override
    @reachable
    def encoder(self, version: Version) -> bytes:
        data = self._redis.get(self._keys.part(version, "encoder"))
        if data is None:
            raise self._not_found(version)
        return data

    @override
    @reachable
    def vectors(self, meta: VersionMeta, users: Sequence[UserId]) -> Mapping[UserId, ServedVectors]:
        if not users:
            return {}
        values = self._redis.mget([self._keys.vector(meta.space, user) for user in users])
        found = {user: value for user, value in zip(users, values, strict=True) if value}
        self._check_stamps(meta, {value[:4] for value in found.values()})
        return {user: layout.unpack_vector(value, meta.dim) for user, value in found.items()}

    @override
    @reachable
    def histories(self, users: Sequence[UserId]) -> Mapping[UserId, list[NewsId]]:
        with self._redis.pipeline(transaction=False) as read:
            for user in users:
                read.lrange(self._keys.history(user), 0, -1)
            lists = read.execute()
        return {
            user: [NewsId(one.decode()) for one in ids]
            for user, ids in zip(users, lists, strict=True)
            if ids
        }

    @override
    @reachable
    def forget(self, user: UserId) -> int:
        return self._erasure.forget(user)

    @override
    @reachable
    def is_forgotten(self, users: Sequence[UserId]) -> list[bool]:
        return self._erasure.is_forgotten(users)

    @override
    @reachable
    def report(self, events: Sequence[Event]) -> int:
        gone = self.is_forgotten([event.user_id for event in events])
        kept = [event for event, erased in zip(events, gone, strict=True) if not erased]
        with self._redis.pipeline(transaction=True) as write:
            for event in kept:
                write.xadd(
                    self._keys.events,
                    layout.pack_event(event),
                    maxlen=self._limits.max_events,
                    approximate=True,
                )
                if event.clicked:
                    self._remember(write, event)
            write.execute()
        self._erasure.withdraw([event.user_id for event in kept])
        return len(kept)

    @override
    def events(self) -> Iterator[Event]:
        after = "-"
        while entries := self._read_events(after):
            events = [layout.unpack_event(fields) for _, fields in entries]
            gone = self.is_forgotten([event.user_id for event in events])
            yield from (event for event, erased in zip(events, gone, strict=True) if not erased)
            after = "(" + entries[-1][0].decode()

    @override
    @reachable
    def ping(self) -> None:
        self._redis.ping()

    @override
    def close(self) -> None:
        self._redis.close()
        self._on_close()

    @reachable
    def _read_events(self, after: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        return self._redis.xrange(self._keys.events, min=after, count=_EVENTS_A_READ)

    def _remember(self, write: Any, event: Event) -> None:
        key = self._keys.history(event.user_id)
        write.rpush(key, event.news_id)
        write.ltrim(key, -self._limits.history_length, -1)
        write.expire(key, self._limits.history_ttl_seconds)

    def _fields(self, version: Version) -> Mapping[bytes, bytes]:
        fields = self._redis.hgetall(self._keys.meta(version))
        if not fields:
            raise self._not_found(version)
        return fields

    def _not_found(self, version: Version) -> VersionNotFound:
        return VersionNotFound(f"{self.name}: no version {version!r}; see recsys versions")

    def _check_stamps(self, meta: VersionMeta, stamps: set[bytes]) -> None:
        """Ask for the space's stamps only when one is seen for the first time."""
        accepted = self._accepted.setdefault(meta.space, {layout.stamp(meta.model_hash)})
        if not stamps - accepted:
            return
        models = self._redis.smembers(self._keys.models(meta.space))
        accepted.update(layout.stamp(one.decode()) for one in models)
        if strange := stamps - accepted:
            raise SpaceMismatch(
                f"{self.name}: a vector of space {meta.space} was written by model "
                f"{min(strange).hex()}, which is not of that space; publish {meta.version} again"
            )
