"""A bundle: what serving needs of a trained model and nothing more.

A folder of four files, written aside and renamed into place:

* ``manifest.json``       what the bundle is: :class:`Manifest`
* ``news.safetensors``    the catalogue: ids, vectors, and what filters need: :class:`Catalogue`
* ``readers.safetensors`` bias-free vectors and clicks of known readers: :class:`Readers`
* ``encoder.safetensors`` weights of the bias-free user encoder, for fresh histories

There is no attribute, no bias-aware tower and no discriminator in it. Text columns are stored as
one UTF-8 blob and offsets, so that any string survives; the same bytes go to disk and to Redis.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int32, Int64
from pydantic import ValidationError

from recsys.config import Config
from recsys.errors import CheckpointError, DataError
from recsys.folders import made
from recsys.ranker import columns
from recsys.types import NewsId, ServedVectors, UserId

MANIFEST, ENCODER = "manifest.json", "encoder.safetensors"
NEWS, READERS = "news.safetensors", "readers.safetensors"

T = TypeVar("T")


class Manifest(Config):
    """What a bundle is, in words and numbers."""

    model_hash: str
    """First 8 hex digits of the SHA-256 over both news matrices and encoder weights."""
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
    """What readers' vectors are multiplied with."""
    read_vectors: ServedVectors
    """What readers' vectors are encoded from: the same news as they are read."""
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
        arrays = ("vectors", "read_vectors", "published_at", "popularity")
        return columns.to_bytes(
            {name: getattr(self, name) for name in arrays},
            ids=self.ids,
            categories=self.categories,
            providers=self.providers,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Catalogue":
        """Read what :meth:`to_bytes` wrote.

        Raises:
            CheckpointError: The bytes are damaged, or the columns differ in length.
        """
        return columns.from_bytes(data, cls._from_tensors)

    @classmethod
    def _from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "Catalogue":
        catalogue = cls(
            ids=[NewsId(one) for one in columns.strings(tensors, "ids")],
            vectors=tensors["vectors"],
            read_vectors=tensors["read_vectors"],
            categories=columns.strings(tensors, "categories"),
            providers=columns.strings(tensors, "providers"),
            published_at=tensors["published_at"],
            popularity=tensors["popularity"],
        )
        lengths = {name: len(column) for name, column in vars(catalogue).items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"expected columns of one length, found {lengths}")
        return catalogue


@dataclass(frozen=True)
class Readers:
    """Known readers: their bias-free vectors as served, and what they clicked."""

    ids: list[UserId]
    vectors: ServedVectors
    clicks: Int32[np.ndarray, " clicks"]
    """Catalogue rows, each reader's in turn, oldest first."""
    offsets: Int64[np.ndarray, " readers_plus_one"]
    """Reader i clicked ``clicks[offsets[i]:offsets[i + 1]]``."""

    def to_bytes(self) -> bytes:
        """Serialise as safetensors."""
        arrays = ("vectors", "clicks", "offsets")
        return columns.to_bytes({name: getattr(self, name) for name in arrays}, ids=self.ids)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Readers":
        """Read what :meth:`to_bytes` wrote.

        Raises:
            CheckpointError: The bytes are damaged, or the columns differ in length.
        """
        return columns.from_bytes(data, cls._from_tensors)

    @classmethod
    def _from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "Readers":
        ids = [UserId(one) for one in columns.strings(tensors, "ids")]
        readers = cls(ids, tensors["vectors"], tensors["clicks"], tensors["offsets"])
        rows = len(ids)
        if len(readers.vectors) != rows or len(readers.offsets) != rows + 1:
            raise ValueError(f"expected {rows} vectors and {rows + 1} offsets, one more than ids")
        if not columns.cuts(readers.offsets, len(readers.clicks)):
            raise ValueError("offsets do not cut the clicks into histories")
        return readers


@dataclass(frozen=True)
class Bundle:
    """One published model, in memory."""

    manifest: Manifest
    catalogue: Catalogue
    readers: Readers
    encoder: bytes
    """Encoder weights, safetensors."""


def model_hash(news: Catalogue, encoder: bytes) -> str:
    """First 8 hex digits of the SHA-256 over both news matrices and then the encoder's weights."""
    digest = hashlib.sha256(np.ascontiguousarray(news.vectors).data)
    digest.update(np.ascontiguousarray(news.read_vectors).data)
    digest.update(encoder)
    return digest.hexdigest()[:8]


def save(bundle: Bundle, folder: Path) -> None:
    """Write a bundle aside and rename it into place; one that stands there is replaced.

    Raises:
        CheckpointError: The parts do not fit together.
        DataError: The folder cannot be written, or is there already and is no bundle.
    """
    _check(bundle, folder)
    files = {
        NEWS: bundle.catalogue.to_bytes(),
        READERS: bundle.readers.to_bytes(),
        ENCODER: bundle.encoder,
        MANIFEST: bundle.manifest.model_dump_json(indent=2).encode(),
    }
    try:
        with made(folder, "bundle", mark=MANIFEST, replace=True) as partial:
            for name, data in files.items():
                (partial / name).write_bytes(data)
    except OSError as error:
        raise DataError.at(folder, f"cannot be written: {error.strerror}") from None


def load(folder: Path) -> Bundle:
    """Read a bundle.

    Raises:
        CheckpointError: A file is missing or damaged, or counts and hash do not fit.
    """
    bundle = Bundle(
        manifest=_manifest(folder / MANIFEST),
        catalogue=_named(folder / NEWS, Catalogue.from_bytes),
        readers=_named(folder / READERS, Readers.from_bytes),
        encoder=_named(folder / ENCODER, bytes),
    )
    _check(bundle, folder)
    return bundle


def _manifest(path: Path) -> Manifest:
    data = _named(path, bytes)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise CheckpointError(f"{path}: {where}: {first['msg']}") from None


def _named(path: Path, parse: Callable[[bytes], T]) -> T:
    """Read and parse one file; whatever is wrong with it, the message starts with its path."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; expected a file of a bundle") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _check(bundle: Bundle, folder: Path) -> None:
    """Hold the parts against each other and against the manifest."""
    manifest, news, readers = bundle.manifest, bundle.catalogue, bundle.readers
    for vectors in (news.vectors, news.read_vectors):
        _check_table(folder / NEWS, manifest, manifest.num_news, news.ids, vectors)
    _check_table(folder / READERS, manifest, manifest.num_readers, readers.ids, readers.vectors)
    if readers.clicks.size and not 0 <= readers.clicks.min() <= readers.clicks.max() < len(
        news.ids
    ):
        raise CheckpointError(f"{folder / READERS}: clicks name rows outside the catalogue")
    found = model_hash(news, bundle.encoder)
    if found != manifest.model_hash:
        raise CheckpointError(
            f"{folder}: {NEWS} and {ENCODER} hash to {found}, "
            f"but {MANIFEST} says {manifest.model_hash}: they are not of one model"
        )


def _check_table(
    path: Path, manifest: Manifest, num: int, ids: Sequence[str], vectors: ServedVectors
) -> None:
    if len(ids) != num:
        raise CheckpointError(f"{path}: {len(ids)} ids, but {MANIFEST} says {num}")
    if len(set(ids)) != len(ids):
        raise CheckpointError(f"{path}: an id stands there twice")
    if vectors.shape != (num, manifest.dim) or vectors.dtype != manifest.dtype:
        raise CheckpointError(
            f"{path}: vectors are {vectors.dtype} of shape {vectors.shape}, "
            f"but {MANIFEST} says {manifest.dtype} of length {manifest.dim}"
        )
    if not np.isfinite(vectors).all():
        raise CheckpointError(f"{path}: vectors are not all finite")
