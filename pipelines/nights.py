"""The folders of `recsys nightly`, one a night; what is done in a night is not known here.

In a night's folder ``begun.json``, the first of its files, says what it was begun with, and
``outcome.json``, the last, how it ended.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.console import err
from recsys.folders import write_text

BEGUN, OUTCOME = "begun.json", "outcome.json"


def begin(folder: Path, settings: dict[str, Any]) -> Path:
    """Make a new night, or go on with the last if it was cut short and begun with the same.

    Args:
        folder: Of all nights.
        settings: Plain values: all that the outcome depends on.
    """
    begun = json.dumps(settings, indent=2, sort_keys=True)
    if last := _unfinished(folder):
        if (last / BEGUN).exists() and (last / BEGUN).read_text() == begun:
            return last
        err.print(f"{last}: abandoned, as it was begun with other settings or other data")
        end(last, {"night": last.name, "published": False, "abandoned": True})
    night = folder / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    night.mkdir()
    write_text(night / BEGUN, begun)
    return night


def end(night: Path, outcome: dict[str, Any]) -> None:
    """Write how a night ended: nothing is done in it any more."""
    write_text(night / OUTCOME, json.dumps(outcome, indent=2))


def _unfinished(folder: Path) -> Path | None:
    """Find the last night if it was cut short; what an earlier one left is out of date."""
    nights = (path for path in folder.glob("[0-9]*T[0-9]*") if path.is_dir())
    last = max(nights, default=None)
    return last if last and not (last / OUTCOME).exists() else None
