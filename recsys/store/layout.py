"""How everything stands in Redis: the one description of keys and bytes.

Every key starts with a prefix, ``recsys:`` unless configured otherwise. Ids are UTF-8. Numbers in
binary values are little-endian.

====================================== ========== ==================================================
key                                    type       holds
====================================== ========== ==================================================
``live``                               string     name of the live version
``versions``                           sorted set published versions by creation time (seconds)
``v:<version>:meta``                   hash       the fields of `VersionMeta` as text (times in
                                                  ISO 8601, UTC), ``news_chunks``: how many,
                                                  ``news_digest``: BLAKE2b-128 of the joined chunks
``v:<version>:news:<i>``               string     `Catalogue.to_bytes()`, cut every 8 MiB
``v:<version>:encoder``                string     encoder weights, safetensors
``v:<version>:staged:<token>:<part>``  string     chunks and encoder of a publish under way; renamed
                                                  when it ends, or gone after an hour
``spaces``                             sorted set spaces that hold vectors, by last write (seconds)
                                                  of a publish under way; 0 when it has ended
``s:<space>:models``                   set        model hashes that may write into the space
``s:<space>:u:<user_id>``              string     stamp (4 bytes: the model hash, from hex), then
                                                  the vector (float16, 2 bytes a number)
``history:<user_id>``                  list       clicked news ids, oldest first, capped, with TTL
``events``                             stream     one entry a reported impression, the fields of
                                                  `Event` as text (time in microseconds), capped
``forgotten``                          set        BLAKE2b-128 of erased readers' ids, keyed by salt
``salt``                               string     32 random bytes, written once
====================================== ========== ==================================================

A reader costs ``2 * dim + 4`` bytes of value, the key's own length, and what Redis adds: at most
:data:`READER_OVERHEAD` bytes in Redis 6.2 and 7 (``MEMORY USAGE``; tested).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from recsys.errors import SpaceMismatch
from recsys.store.base import Event, VersionMeta
from recsys.types import NewsId, ServedVectors, Space, UserId, Version

CHUNK_BYTES = 8 << 20
READER_OVERHEAD = 120
_GLOB = re.compile(rb"[\[\]*?^\\-]")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Keys:
    """Names of all keys under one prefix."""

    prefix: str

    def _key(self, *parts: str) -> bytes:
        return (self.prefix + ":".join(parts)).encode()

    @property
    def live(self) -> bytes:
        """Key of the live pointer."""
        return self._key("live")

    @property
    def versions(self) -> bytes:
        """Key of the sorted set of versions."""
        return self._key("versions")

    @property
    def spaces(self) -> bytes:
        """Key of the sorted set of spaces."""
        return self._key("spaces")

    @property
    def events(self) -> bytes:
        """Key of the stream."""
        return self._key("events")

    @property
    def forgotten(self) -> bytes:
        """Key of the set of erased readers."""
        return self._key("forgotten")

    @property
    def salt(self) -> bytes:
        """Key of the salt."""
        return self._key("salt")

    def meta(self, version: Version) -> bytes:
        """Key of a version's description."""
        return self._key("v", version, "meta")

    def part(self, version: Version, part: str) -> bytes:
        """Key of ``news:<i>`` or ``encoder`` of a version."""
        return self._key("v", version, part)

    def staged(self, version: Version, token: str, part: str) -> bytes:
        """Key of a part that a publish under way has written already."""
        return self._key("v", version, "staged", token, part)

    def models(self, space: Space) -> bytes:
        """Key of the set of hashes a space accepts."""
        return self._key("s", space, "models")

    def vector(self, space: Space, user: UserId) -> bytes:
        """Key of a reader's vector."""
        return self._key("s", space, "u", user)

    def vectors(self, space: Space) -> bytes:
        """Pattern that matches all vectors of a space, and nothing else."""
        return _GLOB.sub(rb"\\\g<0>", self._key("s", space, "u", "")) + b"*"

    def history(self, user: UserId) -> bytes:
        """Key of a reader's clicks."""
        return self._key("history", user)


def stamp(model_hash: str) -> bytes:
    """Four bytes that name the model which wrote a vector."""
    return bytes.fromhex(model_hash)


def pack_vectors(vectors: ServedVectors, model_hash: str) -> list[bytes]:
    """Turn each row into a stored value."""
    head = stamp(model_hash)
    rows = np.ascontiguousarray(vectors, "<f2")
    data, width = rows.tobytes(), rows.shape[1] * 2
    return [head + data[at : at + width] for at in range(0, len(data), width)]


def unpack_vector(value: bytes, dim: int) -> ServedVectors:
    """Read the vector of a stored value, ``[1, dim]``.

    Raises:
        SpaceMismatch: It is not ``dim`` numbers long.
    """
    if len(value) != 4 + 2 * dim:
        raise SpaceMismatch(f"a stored vector has {(len(value) - 4) // 2} numbers, expected {dim}")
    return np.frombuffer(value, "<f2", offset=4)[None, :]


def pack_meta(meta: VersionMeta) -> dict[str, str]:
    """Turn a description into fields of a hash."""
    return {**{name: str(value) for name, value in asdict(meta).items()}, **_iso(meta)}


def _iso(meta: VersionMeta) -> dict[str, str]:
    return {"created_at": meta.created_at.astimezone(UTC).isoformat()}


def unpack_meta(fields: Mapping[bytes, bytes]) -> VersionMeta:
    """Read what :func:`pack_meta` wrote."""
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return VersionMeta(
        version=Version(text["version"]),
        space=Space(text["space"]),
        dim=int(text["dim"]),
        dtype=text["dtype"],
        num_news=int(text["num_news"]),
        num_readers=int(text["num_readers"]),
        model_hash=text["model_hash"],
        created_at=datetime.fromisoformat(text["created_at"]),
        audit_verdict=text["audit_verdict"],
        manifest=text["manifest"],
    )


def pack_event(event: Event) -> dict[str, str | int | float]:
    """Turn an event into fields of a stream entry."""
    microseconds = (event.time - EPOCH) // timedelta(microseconds=1)
    return {**asdict(event), "clicked": int(event.clicked), "time": microseconds}


def unpack_event(fields: Mapping[bytes, bytes]) -> Event:
    """Read what :func:`pack_event` wrote."""
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Event(
        slate_id=text["slate_id"],
        user_id=UserId(text["user_id"]),
        news_id=NewsId(text["news_id"]),
        position=int(text["position"]),
        clicked=text["clicked"] == "1",
        propensity=float(text["propensity"]),
        time=EPOCH + timedelta(microseconds=int(text["time"])),
        dwell_seconds=float(text["dwell_seconds"]),
        model_version=text["model_version"],
    )


def digest(data: bytes) -> bytes:
    """Fingerprint that tells a whole catalogue from a torn one."""
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode()


def tombstone(user: UserId, salt: bytes) -> bytes:
    """What is kept of an erased reader: enough to recognise the id, not to read it."""
    return hashlib.blake2b(user.encode(), key=salt, digest_size=16).digest()
