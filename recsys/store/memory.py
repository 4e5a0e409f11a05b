"""A store that lives as long as its process: for tests and for trying things out."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from typing_extensions import override

from recsys.errors import SpaceMismatch, VersionNotFound
from recsys.store.base import Event, Limits, Store, VersionMeta
from recsys.types import NewsId, ServedVectors, Space, UserId, Version


class MemoryStore(Store):
    """A `Store` in dictionaries; for one thread."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._versions: dict[Version, tuple[VersionMeta, bytes, bytes]] = {}
        self._live: Version | None = None
        self._spaces: dict[Space, dict[UserId, tuple[str, ServedVectors]]] = {}
        self._models: defaultdict[Space, set[str]] = defaultdict(set)
        self._histories: dict[UserId, list[NewsId]] = {}
        self._events: deque[Event] = deque(maxlen=self._limits.max_events)
        self._forgotten: set[UserId] = set()

    @override
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
        readers = {
            user: (meta.model_hash, row[None, :])
            for users, rows in vectors
            for user, row in zip(users, rows, strict=True)
        }
        seeds = {user: list(clicked) for user, clicked in clicks if clicked}
        for user in self._forgotten:  # only now: someone may be erased while the rest is produced
            readers.pop(user, None)
            seeds.pop(user, None)
        shared = any(
            other.space == meta.space and other.version != meta.version for other in self.versions()
        )
        self._models[meta.space].add(meta.model_hash)
        self._spaces[meta.space] = self._spaces.get(meta.space, {}) | readers if shared else readers
        for user, history in seeds.items():
            if user not in self._histories:
                self._histories[user] = history[-self._limits.history_length :]
        self._versions[meta.version] = meta, news, encoder
        if activate:
            self._live = meta.version

    @override
    def versions(self) -> list[VersionMeta]:
        metas = (meta for meta, _, _ in self._versions.values())
        return sorted(metas, key=lambda meta: (meta.created_at, meta.version))

    @override
    def meta(self, version: Version) -> VersionMeta:
        return self._find(version)[0]

    @override
    def live(self) -> Version:
        if self._live is None:
            raise VersionNotFound("nothing was published yet")
        return self._live

    @override
    def activate(self, version: Version) -> None:
        self._find(version)
        self._live = version

    @override
    def prune(self, keep: int, *, spare: Version | None = None) -> list[Version]:
        names = [meta.version for meta in self.versions()]
        staying = (self._live, spare)
        old = [name for name in names[: max(len(names) - keep, 0)] if name not in staying]
        for name in old:
            del self._versions[name]
        used = {meta.space for meta in self.versions()}
        for space in self._spaces.keys() - used:
            del self._spaces[space], self._models[space]
        return old

    @override
    def news(self, version: Version) -> bytes:
        return self._find(version)[1]

    @override
    def encoder(self, version: Version) -> bytes:
        return self._find(version)[2]

    @override
    def vectors(self, meta: VersionMeta, users: Sequence[UserId]) -> Mapping[UserId, ServedVectors]:
        space = self._spaces.get(meta.space, {})
        found = {user: space[user] for user in users if user in space}
        for user, (model_hash, vector) in found.items():
            if model_hash not in self._models[meta.space] or vector.shape[1] != meta.dim:
                raise SpaceMismatch(f"vector of {user!r} was written by model {model_hash}")
        return {user: np.asarray(vector, np.float16) for user, (_, vector) in found.items()}

    @override
    def histories(self, users: Sequence[UserId]) -> Mapping[UserId, list[NewsId]]:
        return {user: list(self._histories[user]) for user in users if user in self._histories}

    @override
    def forget(self, user: UserId) -> int:
        self._forgotten.add(user)
        removed = [space.pop(user, None) for space in self._spaces.values()]
        return sum(one is not None for one in [*removed, self._histories.pop(user, None)])

    @override
    def is_forgotten(self, users: Sequence[UserId]) -> list[bool]:
        return [user in self._forgotten for user in users]

    @override
    def report(self, events: Sequence[Event]) -> int:
        kept = [event for event in events if event.user_id not in self._forgotten]
        self._events.extend(kept)
        for event in kept:
            if event.clicked:
                history = self._histories.setdefault(event.user_id, [])
                history.append(event.news_id)
                del history[: -self._limits.history_length]
        return len(kept)

    @override
    def events(self) -> Iterator[Event]:
        return iter([one for one in self._events if one.user_id not in self._forgotten])

    @override
    def ping(self) -> None:
        pass

    @override
    def close(self) -> None:
        pass

    def _find(self, version: Version) -> tuple[VersionMeta, bytes, bytes]:
        if version not in self._versions:
            raise VersionNotFound(f"{version}: no such version in the store")
        return self._versions[version]
