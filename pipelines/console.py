"""What every verb says to its user: results on stdout, progress and log on stderr."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Ids, titles and paths are told as they are: colour is a Text or a style, never markup in a string.
_plain = partial(Console, markup=False, emoji=False, highlight=False)
out = _plain()
err = _plain(stderr=True, soft_wrap=True)


def emit(result: dict[str, Any]) -> None:
    """Print one JSON object on stdout: all that a command says there with ``--json``.

    A number that is not finite, as the interval of a single row, is null: JSON has no word for it.
    """
    json.dump(finite(result), sys.stdout, indent=2, default=str, allow_nan=False)
    sys.stdout.write("\n")


def finite(value: Any) -> Any:
    """Turn every number that is none into None, so that what holds it is JSON everywhere."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(part: str) -> TextColumn:
    return TextColumn("{task." + part + "}", markup=False)


@contextmanager
def progress(*extra: str) -> Iterator[Progress]:
    """Show a bar with count, time passed, time left and ``extra`` task fields, on stderr."""
    columns = [_text("description"), BarColumn(), MofNCompleteColumn()]
    fields = [_text(f"fields[{name}]") for name in extra]
    times = [TimeElapsedColumn(), TimeRemainingColumn()]
    with Progress(*columns, *fields, *times, console=err, transient=not err.is_terminal) as bar:
        yield bar
