"""A bundle: what serving needs of a trained model and nothing more.

A folder of four files, written aside and renamed into place:

* ``manifest.json``       what the bundle is: :class:`Manifest`
* ``news.safetensors``    the catalogue: ids, vectors, and what filters need: :class:`Catalogue`
* ``readers.safetensors`` bias-free vectors and clicks of known readers: :class:`Readers`
* ``encoder.safetensors`` weights of the bias-free user encoder, for fresh histories

There is no attribute, no bias-aware tower and no discriminator in it. Text columns are stored as
one UTF-8 blob and offsets, so that any string survives; the same bytes go to disk and to Redis.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, Int64

from recsys.config import Config
from recsys.types import NewsId, ServedVectors, UserId


class Manifest(Config):
    """What a bundle is, in words and numbers."""

    model_hash: str
    """First 8 hex digits of the SHA-256 over news matrix and encoder weights."""
    space: str
    """Vectors of one space may be scored against each other; by default the model hash."""
    dim: int
    """Length of every vector."""
    dtype: str = "float16"
    """Type of the stored vectors."""
    num_news: int
    num_readers: int
    max_history: int
    """Newest clicks the encoder looks at."""
    user_encoder: dict[str, int | float | str]
    """Constructor arguments of `recsys.model.user_encoder.UserEncoder`."""
    created_at: datetime
    """UTC."""


@dataclass(frozen=True)
class Catalogue:
    """The news that can be ranked; row i of every column is the same news."""

    ids: list[NewsId]
    vectors: ServedVectors
    categories: list[str]
    """Empty: unknown."""
    providers: list[str]
    """Empty: unknown."""
    published_at: Int64[np.ndarray, " rows"]
    """Seconds since the epoch, UTC; 0 unknown."""
    popularity: Float32[np.ndarray, " rows"]
    """Clicks before publishing, decayed by age; at least 0. Orders the popular rung."""

    def to_bytes(self) -> bytes:
        """Serialise as safetensors."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes) -> "Catalogue":
        """Read what :meth:`to_bytes` wrote."""
        raise NotImplementedError


@dataclass(frozen=True)
class Readers:
    """Known readers: their bias-free vectors as served, and what they clicked."""

    ids: list[UserId]
    vectors: ServedVectors
    clicks: Int32[np.ndarray, " clicks"]
    """Catalogue rows, each reader's in turn, oldest first."""
    offsets: Int64[np.ndarray, " readers_plus_one"]
    """Reader i clicked ``clicks[offsets[i]:offsets[i + 1]]``."""


@dataclass(frozen=True)
class Bundle:
    """One published model, in memory."""

    manifest: Manifest
    catalogue: Catalogue
    readers: Readers
    encoder: bytes
    """Encoder weights, safetensors."""


def save(bundle: Bundle, folder: Path) -> None:
    """Write a bundle aside and rename it into place."""
    raise NotImplementedError


def load(folder: Path) -> Bundle:
    """Read a bundle.

    Raises:
        CheckpointError: A file is missing or damaged, or counts and hash do not fit.
    """
    raise NotImplementedError
