"""Arrays and columns of strings as one safetensors buffer, the same on disk and in Redis.

A column of strings is two arrays: ``name``, one UTF-8 blob, and ``name.offsets``, where each
string starts in it. Any string survives, lone surrogates included.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Int64, UInt8
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recsys.errors import CheckpointError

Blob = UInt8[np.ndarray, " bytes"]
Offsets = Int64[np.ndarray, " rows_plus_one"]
T = TypeVar("T")


def to_bytes(arrays: Mapping[str, np.ndarray], **strings: Sequence[str]) -> bytes:
    """Serialise named arrays and named columns of strings."""
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, column in strings.items():
        tensors[name], tensors[f"{name}.offsets"] = pack(column)
    return save(tensors)


def from_bytes(data: bytes, build: Callable[[Mapping[str, np.ndarray]], T]) -> T:
    """Build a value from the arrays of a buffer.

    Raises:
        CheckpointError: The buffer is damaged, or ``build`` misses a column or refuses a value.
    """
    try:
        return build(load(data))
    except KeyError as error:
        raise CheckpointError(f"column {error} is missing") from None
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"damaged: {error}") from None


def strings(tensors: Mapping[str, np.ndarray], name: str) -> list[str]:
    """Read one column of strings."""
    return unpack(tensors[name], tensors[f"{name}.offsets"])


def pack(column: Sequence[str]) -> tuple[Blob, Offsets]:
    """Join strings; string i is ``blob[offsets[i]:offsets[i + 1]]``."""
    encoded = [string.encode("utf-8", "surrogatepass") for string in column]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(data) for data in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def unpack(blob: Blob, offsets: Offsets) -> list[str]:
    """Read what :func:`pack` wrote.

    Raises:
        ValueError: The offsets do not cut the blob into strings.
    """
    if not cuts(offsets, len(blob)):
        raise ValueError("offsets do not cut the blob into strings")
    data = blob.tobytes()
    return [
        data[start:end].decode("utf-8", "surrogatepass")
        for start, end in itertools.pairwise(offsets.tolist())
    ]


def cuts(offsets: Offsets, length: int) -> bool:
    """Say whether offsets cut a sequence of this length into consecutive pieces."""
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != length:
        return False
    return bool((np.diff(offsets) >= 0).all())
