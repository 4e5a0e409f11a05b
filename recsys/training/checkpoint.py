"""A run's state on disk, from which training goes on as if it had never stopped."""

import pickle
from pathlib import Path
from typing import Any

import torch

from recsys.errors import CheckpointError


def save(state: dict[str, Any], path: Path) -> None:
    """Write a state aside and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".writing")
    torch.save(state, aside)
    aside.replace(path)


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
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: damaged checkpoint ({reason}); expected a file written by `recsys train`"
        ) from None
    return state
