"""Which folders a command may write over, and how: nobody's work is lost to a mistyped path."""

import os
import shutil
from pathlib import Path

from recsys.errors import DataError


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
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / mark).is_file():
        expected = f"expected a new or empty folder, or one with {mark}"
        raise DataError.at(folder, f"is there already and is no {kind}; {expected}")
    if not replace:
        raise DataError.at(folder, f"a {kind} is there already; expected a new folder, or --force")


def aside(out: Path) -> Path:
    """Return the hidden folder beside ``out`` in which it is made before it takes its place.

    Raises:
        DataError: ``out`` cannot be moved: it is a mount, or the folder the command runs in.
    """
    if out.is_dir() and (out.samefile(".") or out.is_mount()):
        raise DataError.at(out, "cannot be replaced as a whole; expected a new folder in it")
    return out.with_name(f".{out.name}.partial-{os.getpid()}")


def move_into_place(made: Path, out: Path) -> None:
    """Rename ``made`` to ``out``; a folder that was there is put aside first, then deleted."""
    old = out.with_name(f".{out.name}.old")
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)  # of a process killed while it deleted
        out.rename(old)
    made.rename(out)
    shutil.rmtree(old, ignore_errors=True)
