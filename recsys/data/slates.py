"""Slates kept as one flat column of news and the number of news in each slate."""

import numpy as np
from jaxtyping import Bool, Int64


def slate_of(lengths: Int64[np.ndarray, " slates"]) -> Int64[np.ndarray, " rows"]:
    """Return the slate, counted from 0, of each row."""
    return np.repeat(np.arange(len(lengths)), lengths)


def any_in_slate(
    rows: Bool[np.ndarray, " rows"], lengths: Int64[np.ndarray, " slates"]
) -> Bool[np.ndarray, " slates"]:
    """Say which slates have a row that is true."""
    found = np.zeros(len(lengths), dtype=bool)
    if rows.any():
        found[slate_of(lengths)[rows]] = True
    return found


def has_repeats(
    codes: Int64[np.ndarray, " rows"], lengths: Int64[np.ndarray, " slates"]
) -> Bool[np.ndarray, " slates"]:
    """Say which slates show a news twice; ``codes`` are small integers that stand for news."""
    found = np.zeros(len(lengths), dtype=bool)
    if not len(codes):
        return found
    span = int(codes.max()) + 1
    kind = np.dtype("int32" if len(lengths) * span < 2**31 else "int64")
    keys = slate_of(lengths).astype(kind)
    keys *= span
    keys += codes.astype(kind)
    keys.sort()  # quicker than hashing: sorted by slate already
    found[keys[1:][keys[1:] == keys[:-1]] // span] = True
    return found
