r"""Learning-to-rank collections in svmlight: MQ2008 and MSLR-WEB, Istella, Yahoo's format.

A line is ``label qid:ID index:value … # comment``; labels are at least 0, indices count from 1,
absent ones are 0, values fit single precision, lines of a query are adjacent.
Format: https://www.microsoft.com/en-us/research/project/mslr/
Folders are laid out as published: ``Fold1..Fold5`` with ``train.txt``, ``vali.txt``, ``test.txt``;
or the five parts ``S1.txt..S5.txt``, of which fold k trains on three in turn; or one fold alone.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recsys.data.queries import Collection, Queries, concatenate
from recsys.data.schema import LARGEST
from recsys.errors import DataError

CHUNK_BYTES = 1 << 24
NAMES = {
    "train": ("train.txt", "set1.train.txt"),
    "validation": ("vali.txt", "valid.txt", "set1.valid.txt"),
    "test": ("test.txt", "set1.test.txt"),
}
NUM_PARTS = 5


def folds(folder: Path) -> list[str]:
    """Name the folds that :func:`load_fold` can read; empty if this is no such folder."""
    if (folder / "S1.txt").exists():
        return [f"Fold{k}" for k in range(1, NUM_PARTS + 1)]
    nested = sorted(path.name for path in folder.glob("Fold*") if _find(path, "train"))
    return nested or (["."] if _find(folder, "train") else [])


def load_fold(folder: Path, fold: str, num_features: int | None = None) -> Collection:
    """Read one fold.

    Args:
        folder: The collection.
        fold: One of :func:`folds`.
        num_features: Width of the feature matrix; None takes the highest index in the data.

    Raises:
        DataError: A file is missing or breaks its format.
    """
    if (folder / "S1.txt").exists():
        return _from_parts(folder, int(fold.removeprefix("Fold")), num_features)
    splits = {}
    for split in NAMES:
        path = _find(folder / fold, split)
        if path is None and split != "validation":
            raise DataError.at(folder / fold, f"expected {' or '.join(NAMES[split])}")
        if path is not None:
            splits[split] = load(path, num_features)
    width = max(part.features.shape[1] for part in splits.values())
    return Collection({name: _widened(part, width) for name, part in splits.items()})


def load(path: Path, num_features: int | None = None) -> Queries:
    """Read a whole file.

    Raises:
        DataError: A line breaks the format, and the message has its number; or the lines of a query
            are not adjacent.
    """
    parts = list(stream(path, num_features))
    width = max(part.features.shape[1] for part in parts)
    whole = concatenate(_widened(part, width) for part in parts)
    query, times = Counter(whole.ids).most_common(1)[0]
    if times > 1:
        raise DataError.at(path, f"expected the lines of a query together, found {query!r} again")
    return whole


def stream(
    path: Path, num_features: int | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Queries]:
    """Read a file part by part in bounded memory; a query is never split.

    Args:
        path: The file.
        num_features: Width of every part; None: the highest index seen in each part.
        chunk_bytes: Text held at a time, at least the longest query.

    Raises:
        DataError: The file is missing or empty, or a line breaks the format.
    """
    held: list[bytes] = []
    first = 1
    for lines in _chunks(path, chunk_bytes):
        held.extend(lines)
        cut = _last_query(held)
        if cut:
            yield _parsed(path, held[:cut], first, num_features)
            first += cut
            del held[:cut]
    if not held:
        raise DataError.at(path, "is empty; expected lines 'label qid:ID index:value …'")
    yield _parsed(path, held, first, num_features)


def _chunks(path: Path, size: int) -> Iterator[list[bytes]]:
    try:
        with path.open("rb") as file:
            while lines := file.readlines(size):
                yield lines
    except OSError as error:
        raise DataError.at(path, f"{error.strerror}; expected a svmlight file") from None


def _query_of(line: bytes) -> bytes:
    fields = line.split(None, 2)
    return fields[1] if len(fields) > 1 else b""


def _last_query(lines: list[bytes]) -> int:
    """Index of the first line of the last query: what comes before it is complete."""
    last = _query_of(lines[-1])
    cut = len(lines) - 1
    while cut and _query_of(lines[cut - 1]) == last:
        cut -= 1
    return cut


def _parsed(path: Path, lines: list[bytes], first: int, width: int | None) -> Queries:
    heads, tails = [], []
    for number, line in enumerate(lines, first):
        fields = line.partition(b"#")[0].split(None, 2)
        if len(fields) < 2 or not fields[1].startswith(b"qid:"):
            raise _bad(path, line, number)
        heads.append(fields[:2])
        tails.append(fields[2] if len(fields) > 2 else b"")
    counts = np.array([tail.count(b":") for tail in tails])
    try:
        labels = np.array([_grade(label) for label, _ in heads], dtype=np.float32)
        pairs = _numbers(b" ".join(tails).replace(b":", b" ")).reshape(counts.sum(), 2)
        features = _matrix(pairs, counts, width)
    except ValueError:
        raise _first_bad(path, lines, first, width) from None
    queries = np.array([query for _, query in heads])
    starts = np.flatnonzero(np.concatenate([[True], queries[1:] != queries[:-1]]))
    names = [query[4:].decode() for query in queries[starts].tolist()]
    return Queries(names, np.append(starts, len(lines)), features, labels)


def _grade(label: bytes) -> float:
    grade = float(label)
    if not 0 <= grade <= LARGEST:
        raise ValueError
    return grade


def _numbers(text: bytes) -> Float[np.ndarray, " numbers"]:
    """Read numbers separated by blanks, at the speed of C."""
    return np.array(text.split(), dtype=np.float64)


def _matrix(pairs: np.ndarray, counts: np.ndarray, width: int | None) -> np.ndarray:
    index = pairs[:, 0].astype(np.int64) - 1
    wide = width or int(index.max(initial=0)) + 1
    exact = (np.abs(pairs) <= LARGEST).all() and (index + 1 == pairs[:, 0]).all()
    if not exact or (len(index) and (index.min() < 0 or index.max() >= wide)):
        raise ValueError
    features = np.zeros((len(counts), wide), dtype=np.float32)
    features[np.repeat(np.arange(len(counts)), counts), index] = pairs[:, 1]
    return features


def _first_bad(path: Path, lines: list[bytes], first: int, width: int | None) -> DataError:
    """Find the line that broke a part: read them one by one."""
    for number, line in enumerate(lines, first):
        label, _, *rest = line.partition(b"#")[0].split()
        try:
            _grade(label)
            for pair in rest:
                index, value = pair.split(b":")
                if not abs(float(value)) <= LARGEST or not 1 <= int(index) <= (width or int(index)):
                    raise ValueError
        except ValueError:
            return _bad(path, line, number, width)
    return DataError.at(path, "expected lines 'label qid:ID index:value …'", line=first)


def _bad(path: Path, line: bytes, number: int, width: int | None = None) -> DataError:
    shown = line.decode(errors="replace").strip()[:60]
    limit = f" with index from 1 to {width}" if width else ""
    return DataError.at(
        path, f"expected 'label qid:ID index:value …'{limit}, found {shown!r}", line=number
    )


def _widened(part: Queries, width: int) -> Queries:
    missing = width - part.features.shape[1]
    if not missing:
        return part
    features = np.pad(part.features, ((0, 0), (0, missing)))
    return Queries(part.ids, part.offsets, features, part.labels, part.buckets)


def _from_parts(folder: Path, fold: int, width: int | None) -> Collection:
    names = [f"S{(fold - 1 + step) % NUM_PARTS + 1}.txt" for step in range(NUM_PARTS)]
    parts = [load(folder / name, width) for name in names]
    wide = max(part.features.shape[1] for part in parts)
    parts = [_widened(part, wide) for part in parts]
    return Collection({"train": concatenate(parts[:3]), "validation": parts[3], "test": parts[4]})


def _find(folder: Path, split: str) -> Path | None:
    return next((folder / name for name in NAMES[split] if (folder / name).exists()), None)
