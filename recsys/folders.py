"""Which folders a command may write over: nobody's work is lost to a mistyped path."""

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
