"""A run's state on disk, from which training goes on as if it had never stopped."""

import pickle
from pathlib import Path
from typing import Any

import torch

from recsys.errors import CheckpointError
from recsys.folders import writing


def save(state: dict[str, Any], path: Path) -> None:
    """Write a state.

    Raises:
        InputError: It cannot be written; an older state is still there.
    """
    with writing(path) as aside:
        try:
            torch.save(state, aside)
        except RuntimeError as error:  # what torch makes of a full disk
            reason = f"{_first_line(error)}; is the disk full?"
            raise CheckpointError(f"{path}: cannot be written: {reason}") from None


def load(path: Path) -> dict[str, Any]:
    """Read a state of tensors and plain values; nothing in the file is executed.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path}: damaged checkpoint ({_first_line(error)}); "
            "expected a file written by `recsys train`"
        ) from None
    return state


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
