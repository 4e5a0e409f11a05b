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
        self._salt = b""
        """As last seen; empty: there was none, because nobody was erased yet."""

    def forget(self, user: UserId) -> int:
        """Erase a reader for good; returns keys removed."""
        with self._redis.pipeline(transaction=True) as write:
            write.set(self._keys.salt, secrets.token_bytes(32), nx=True)
            write.get(self._keys.salt)
            _, salt = write.execute()
        self._redis.sadd(self._keys.forgotten, layout.tombstone(user, salt))
        return self._delete([user])

    def is_forgotten(self, users: Sequence[UserId]) -> list[bool]:
        """Say who was erased."""
        if not users:
            return []
        while True:
            salt = self._salt
            stones = [layout.tombstone(user, salt) for user in users]
            with self._redis.pipeline(transaction=False) as read:
                read.get(self._keys.salt)
                read.smismember(self._keys.forgotten, stones)
                found, hits = read.execute()
            self._salt = found or b""
            if self._salt == salt:  # or else it is new: a Redis that lost its data gets another
                return [bool(hit) for hit in hits]

    def withdraw(self, users: Sequence[UserId]) -> None:
        """Delete again what was written for readers who were erased meanwhile."""
        gone = self.is_forgotten(users)
        if any(gone):
            self._delete([user for user, erased in zip(users, gone, strict=True) if erased])

    def _delete(self, users: Sequence[UserId]) -> int:
        spaces = [Space(name.decode()) for name in self._redis.zrange(self._keys.spaces, 0, -1)]
        keys = [self._keys.vector(space, user) for space in spaces for user in users]
        return self._redis.unlink(*keys, *map(self._keys.history, users))
