"""One publish into Redis: nothing of it is visible before its last step, a transaction."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from recsys.errors import StoreUnavailable
from recsys.store import layout
from recsys.store.base import Limits, VersionMeta
from recsys.store.erasure import Erasure
from recsys.store.removal import unlink_matching
from recsys.types import NewsId, ServedVectors, UserId

_READERS_A_WRITE = 1_000
_STAGED_SECONDS = 3_600
_SEED = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


class Publication:
    """Writes vectors and histories, stages the rest, then commits.

    Vectors may be written ahead of the commit because no reader of the store looks into a space
    that no version names, and into one that a version names only vectors of that space go.
    """

    def __init__(self, client: Any, keys: layout.Keys, erasure: Erasure, meta: VersionMeta) -> None:
        self._erasure = erasure
        self._redis = client
        self._keys = keys
        self._meta = meta
        self._token = secrets.token_hex(4)
        self._written: set[bytes] | None = None

    def write_vectors(
        self,
        vectors: Iterable[tuple[Sequence[UserId], ServedVectors]],
        *,
        now: Callable[[], float],
        replace: bool,
    ) -> None:
        """Write readers' vectors; with ``replace``, those of other readers become stale."""
        space = self._meta.space
        if replace and self._redis.zscore(self._keys.spaces, space) is not None:
            self._written = set()
        self._redis.sadd(self._keys.models(space), self._meta.model_hash)
        self._redis.zadd(self._keys.spaces, {space: now()})
        for users, rows in vectors:
            for at in range(0, len(users), _READERS_A_WRITE):
                part = slice(at, at + _READERS_A_WRITE)
                self._write(users[part], rows[part], now())

    def _write(self, users: Sequence[UserId], rows: ServedVectors, now: float) -> None:
        space, gone = self._meta.space, self._erasure.is_forgotten(users)
        values = layout.pack_vectors(rows, self._meta.model_hash)
        pairs = {
            self._keys.vector(space, user): value
            for user, value, erased in zip(users, values, gone, strict=True)
            if not erased
        }
        with self._redis.pipeline(transaction=False) as write:
            write.zadd(self._keys.spaces, {space: now})  # still being written: not to be pruned
            if pairs:
                write.mset(pairs)
            write.execute()
        self._erasure.withdraw(users)
        if self._written is not None:
            self._written.update(pairs)

    def seed(self, clicks: Iterable[tuple[UserId, Sequence[NewsId]]], limits: Limits) -> None:
        """Give readers without a history the one they had in training."""
        batch: list[tuple[UserId, Sequence[NewsId]]] = []
        for user, history in clicks:
            if history:
                batch.append((user, history[-limits.history_length :]))
            if len(batch) == _READERS_A_WRITE:
                self._seed(batch, limits)
                batch = []
        self._seed(batch, limits)

    def _seed(self, batch: Sequence[tuple[UserId, Sequence[NewsId]]], limits: Limits) -> None:
        users = [user for user, _ in batch]
        skip = zip(self._erasure.is_forgotten(users), self._have_histories(users), strict=True)
        script = self._redis.register_script(_SEED)
        with self._redis.pipeline(transaction=False) as write:
            for (user, history), reasons in zip(batch, skip, strict=True):
                if not any(reasons):
                    args = [limits.history_ttl_seconds, *history]
                    script(keys=[self._keys.history(user)], args=args, client=write)
            write.execute()
        self._erasure.withdraw(users)

    def _have_histories(self, users: Sequence[UserId]) -> list[int]:
        """Say who has one, so that night after night only new readers' are sent."""
        with self._redis.pipeline(transaction=False) as read:
            for user in users:
                read.exists(self._keys.history(user))
            return read.execute()

    def commit(self, news: bytes, encoder: bytes, *, activate: bool) -> None:
        """Stage the big parts, then put everything in place at once; ``live`` moves last.

        Raises:
            StoreUnavailable: Staging took so long that parts have expired.
        """
        meta, keys = self._meta, self._keys
        parts = {
            f"news:{i}": news[at : at + layout.CHUNK_BYTES]
            for i, at in enumerate(range(0, len(news), layout.CHUNK_BYTES))
        }
        num_chunks, parts["encoder"] = len(parts), encoder
        for name, data in parts.items():
            staged = keys.staged(meta.version, self._token, name)
            self._redis.set(staged, data, ex=_STAGED_SECONDS)
        before = int(self._redis.hget(keys.meta(meta.version), "news_chunks") or 0)
        self._renew(parts)
        fields = {"news_chunks": num_chunks, "news_digest": layout.digest(news)}
        with self._redis.pipeline(transaction=True) as write:
            for name in parts:
                final = keys.part(meta.version, name)
                write.rename(keys.staged(meta.version, self._token, name), final)
                write.persist(final)
            for i in range(num_chunks, before):
                write.unlink(keys.part(meta.version, f"news:{i}"))
            write.hset(keys.meta(meta.version), mapping=layout.pack_meta(meta) | fields)
            write.zadd(keys.versions, {meta.version: meta.created_at.timestamp()})
            write.zadd(keys.spaces, {meta.space: 0})  # no longer being written
            if activate:
                write.set(keys.live, meta.version)
            write.execute()

    def _renew(self, parts: Iterable[str]) -> None:
        """Give staged parts another hour; a transaction would go on without one that is gone."""
        with self._redis.pipeline(transaction=False) as write:
            for name in parts:
                staged = self._keys.staged(self._meta.version, self._token, name)
                write.expire(staged, _STAGED_SECONDS)
            if not all(write.execute()):
                raise StoreUnavailable(
                    f"{self._meta.version}: what was staged an hour ago is gone; publish it again"
                )

    def remove_stale(self) -> None:
        """Delete vectors that an earlier publish of this space wrote and this one did not."""
        if self._written is not None:
            pattern = self._keys.vectors(self._meta.space)
            unlink_matching(self._redis, pattern, spare=self._written)
