"""The port: what publishing and serving need of a store, whoever provides it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recsys.types import NewsId, ServedVectors, Space, UserId, Version


@dataclass(frozen=True)
class VersionMeta:
    """What the store says of a published version."""

    version: Version
    space: Space
    dim: int
    dtype: str
    num_news: int
    num_readers: int
    model_hash: str
    created_at: datetime
    """UTC."""
    audit_verdict: str
    """"pass", "fail", "insufficient"; empty when published without an audit."""
    manifest: str
    """The bundle's manifest, JSON."""


@dataclass(frozen=True)
class Event:
    """One news in one slate as reported back, waiting to be collected."""

    slate_id: str
    user_id: UserId
    news_id: NewsId
    position: int
    """1-based; 0 unknown."""
    clicked: bool
    propensity: float
    """In (0, 1]; 0 unknown."""
    time: datetime
    """UTC."""
    dwell_seconds: float
    model_version: str


@dataclass(frozen=True)
class Limits:
    """What keeps a store from growing for ever."""

    history_length: int = 200
    """Newest clicks remembered of a reader."""
    history_ttl_seconds: int = 90 * 86_400
    """A history is dropped this long after its last click."""
    max_events: int = 1_000_000
    """Waiting events; beyond it the oldest are dropped, a few hundred at a time."""


class Store(Protocol):
    """Versions with one live pointer, readers' vectors and clicks, and the event stream.

    A reader of the store never sees half a version: `live` moves last. Every method may raise
    StoreUnavailable.
    """

    # -- versions
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
        """Write a whole version and then make it live.

        Args:
            meta: The version; publishing it again replaces it.
            news: `Catalogue.to_bytes()`.
            encoder: Encoder weights.
            vectors: Readers' vectors, in chunks; erased readers are skipped.
            clicks: Histories to seed, oldest click first; a reader whose history the store
                already holds keeps it.
            activate: Move `live` at the end.
        """
        ...

    def versions(self) -> list[VersionMeta]:
        """List published versions, oldest first."""
        ...

    def meta(self, version: Version) -> VersionMeta:
        """Describe one version; raises VersionNotFound."""
        ...

    def live(self) -> Version:
        """Name the live version; raises VersionNotFound when nothing was published yet."""
        ...

    def activate(self, version: Version) -> None:
        """Make a published version live; raises VersionNotFound."""
        ...

    def prune(self, keep: int, *, spare: Version | None = None) -> list[Version]:
        """Delete all but the newest ``keep`` versions, the live and ``spare``, in small steps."""
        ...

    def news(self, version: Version) -> bytes:
        """Return `Catalogue.to_bytes()` as published.

        Raises:
            VersionNotFound: There is no such version.
            CheckpointError: They are damaged.
        """
        ...

    def encoder(self, version: Version) -> bytes:
        """Return the encoder's weights; raises VersionNotFound."""
        ...

    # -- readers
    def vectors(self, meta: VersionMeta, users: Sequence[UserId]) -> Mapping[UserId, ServedVectors]:
        """Return the vectors that exist, ``[1, dim]`` each, by one round trip.

        Raises:
            SpaceMismatch: A vector carries the stamp of a model outside the version's space.
        """
        ...

    def histories(self, users: Sequence[UserId]) -> Mapping[UserId, list[NewsId]]:
        """Return remembered clicks, oldest first, of the readers that have any."""
        ...

    def forget(self, user: UserId) -> int:
        """Erase a reader from every space and remember a salted hash; returns keys removed."""
        ...

    def is_forgotten(self, users: Sequence[UserId]) -> list[bool]:
        """Say who was erased."""
        ...

    # -- events
    def report(self, events: Sequence[Event]) -> int:
        """Append impressions to the stream and clicks to histories; returns how many.

        Nothing is remembered of erased readers, and theirs are not counted.
        """
        ...

    def events(self) -> Iterator[Event]:
        """Read the waiting events without taking them, oldest first, none of erased readers."""
        ...

    def ping(self) -> None:
        """Raise StoreUnavailable when the store does not answer."""
        ...

    def close(self) -> None:
        """Let go of connections, and of an embedded server when this was its last user."""
        ...
