"""The right to be forgotten, in Redis: deletion, and a tombstone that later writes respect."""

import secrets
from collections.abc import Sequence
from typing import Any

from recsys.store import layout
from recsys.types import Space, UserId


class Erasure:
    """Knows who was erased.

    A reader can be erased while another process is writing for them. So the tombstone is set before
    anything is deleted, and whoever writes for readers calls :meth:`withdraw` afterwards: one of
    the two sees the other.
    """

    def __init__(self, client: Any, keys: layout.Keys) -> None:
        self._redis = client
        self._keys = keys
        self._salt: bytes | None = None

    def forget(self, user: UserId) -> int:
        """Erase a reader for good; returns keys removed."""
        self._redis.set(self._keys.salt, secrets.token_bytes(32), nx=True)
        self._redis.sadd(self._keys.forgotten, *self._tombstones([user]))
        return self._delete([user])

    def is_forgotten(self, users: Sequence[UserId]) -> list[bool]:
        """Say who was erased."""
        stones = self._tombstones(users)
        if not stones:
            return [False] * len(users)
        return [bool(hit) for hit in self._redis.smismember(self._keys.forgotten, stones)]

    def withdraw(self, users: Sequence[UserId]) -> None:
        """Delete again what was written for readers who were erased meanwhile."""
        gone = self.is_forgotten(users)
        if any(gone):
            self._delete([user for user, erased in zip(users, gone, strict=True) if erased])

    def _delete(self, users: Sequence[UserId]) -> int:
        spaces = [Space(name.decode()) for name in self._redis.zrange(self._keys.spaces, 0, -1)]
        keys = [self._keys.vector(space, user) for space in spaces for user in users]
        return self._redis.unlink(*keys, *map(self._keys.history, users))

    def _tombstones(self, users: Sequence[UserId]) -> list[bytes]:
        """Salted hashes; none as long as there is no salt, because then nobody was erased."""
        if self._salt is None:
            self._salt = self._redis.get(self._keys.salt)
        return [layout.tombstone(user, self._salt) for user in users] if self._salt else []
