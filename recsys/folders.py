"""What a command may write over, and how: nothing half-written, no work lost to a mistyped path."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from recsys.errors import DataError, InputError

LOCK = ".recsys-*.lock"
"""File by which a verb holds a folder. One that a killed process left is nobody's work."""


def check_target(folder: Path, kind: str, *, mark: str, replace: bool) -> None:
    """Refuse to write over anything but an empty folder or, if asked to, one of our own.

    Args:
        folder: What is to be written; it need not be there.
        kind: What it will be, as in "dataset".
        mark: A file that every folder of this kind has.
        replace: Whether one of this kind may be replaced.

    Raises:
        DataError: Something stands there that stays.
    """
    if not folder.exists():
        return
    if folder.is_dir() and all(path.match(LOCK) for path in folder.iterdir()):
        return
    if not (folder / mark).is_file():
        expected = f"expected a new or empty folder, or one with {mark}"
        raise DataError.at(folder, f"is there already and is no {kind}; {expected}")
    if not replace:
        raise DataError.at(folder, f"a {kind} is there already; expected a new folder, or --force")


@contextmanager
def alone(folder: Path, verb: str) -> Iterator[Path]:
    """Hold a folder, which is made: two at once would write into each other's work.

    Args:
        folder: What is to be written in.
        verb: The command that does, as in "train"; others may be at work beside it.

    Yields:
        The lock: a file in the folder for as long as it is held.

    Raises:
        InputError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK.replace("*", verb)
    with path.open("ab") as lock:
        # a lock without a name is one that its holder has just let go
        if not take(lock, fcntl.LOCK_EX) or not os.fstat(lock.fileno()).st_nlink:
            raise InputError(
                f"{folder}: another `recsys {verb}` is at work there; wait for its end"
            )
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def take(file: IO[bytes], mode: int) -> bool:
    """Lock a file, by a mode of `fcntl.flock`, if that is possible at once."""
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def made(out: Path, kind: str, *, mark: str, replace: bool) -> Iterator[Path]:
    """Make a folder aside and move it into place when it is whole and on disk.

    Args:
        out: Where it shall be; where that is a link, what it leads to is replaced.
        kind: What it will be, as in :func:`check_target`.
        mark: A file that every folder of this kind has.
        replace: Whether one of this kind may be replaced.

    Yields:
        The hidden folder beside ``out`` to write in, empty; after an error nothing is left of it.

    Raises:
        DataError: Something stands there that stays (at the start or at the end), cannot be moved,
            or the place cannot be written.
    """
    check_target(out, kind, mark=mark, replace=replace)
    place = out.resolve()
    if place.is_dir() and (place.samefile(".") or place.is_mount()):
        raise DataError.at(place, "cannot be replaced as a whole; expected a new folder in it")
    partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed process that had our number
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise DataError.at(out, f"cannot be written: {error.strerror}") from None
    try:
        yield partial
        check_target(out, kind, mark=mark, replace=replace)  # somebody may have written meanwhile
        _move(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move(whole: Path, out: Path) -> None:
    """Rename ``whole`` to ``out``; a folder that was there is put aside first, then deleted."""
    for path in whole.rglob("*"):
        if path.is_file():
            _sync(path)
    old = out.with_name(f".{out.name}.old")
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)  # of a process killed while it deleted
        out.rename(old)
    whole.rename(out)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a file to write aside, which takes the place of ``path`` when it is whole and on disk.

    What a killed process left aside is written over. No two processes write a path at once.

    Raises:
        DataError: It cannot be written; what stood at ``path`` stands there still.
    """
    aside = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
            _sync(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise DataError.at(path, f"cannot be written: {error.strerror}") from None


def _sync(path: Path) -> None:
    """Bring a file to the disk, before a name is given to it that says it is whole."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all.

    Raises:
        DataError: As :func:`writing`.
    """
    with writing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def empty(folder: Path, *, but: Path) -> None:
    """Delete all that a folder holds but for one file."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != but:
            path.unlink()
