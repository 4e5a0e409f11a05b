"""Raw rows that do not become part of a dataset: refused, or counted, sampled and left out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recsys.errors import DataError

MAX_SAMPLES = 20
MAX_SHOWN_CHARS = 120


@dataclass
class _Drop:
    count: int = 0
    samples: list[dict[str, str]] = field(default_factory=list)


class BadRows:
    """What was left out of a raw log, by file and reason.

    Args:
        skip: Leave bad rows out and count them; otherwise the first one is an error.
    """

    def __init__(self, *, skip: bool) -> None:
        self._skip = skip
        self._drops: dict[tuple[str, str], _Drop] = {}

    def reject(self, path: Path, lines: Iterable[int], expected: str, found: Iterable[str]) -> None:
        """Record rows of ``path`` that are not as ``expected``.

        Args:
            path: The raw file.
            lines: Their 1-based line (or row) numbers.
            expected: What a good row has, as in "time: a time like 11/15/2019 10:22:32 AM".
            found: What each of these rows has instead.

        Raises:
            DataError: There is such a row, and bad rows are not to be skipped.
        """
        for line, text in zip(lines, found, strict=True):
            shown = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
            if not self._skip:
                raise DataError.at(path, f"expected {expected}, found {shown!r}", line=line)
            drop = self._drop(path, f"expected {expected}")
            drop.count += 1
            if len(drop.samples) < MAX_SAMPLES:
                drop.samples.append({"at": f"{path.name}:{line}", "found": shown})

    def leave_out(self, path: Path, count: int, why: str) -> None:
        """Count rows that are as they should be, but no part of a dataset."""
        if count:
            self._drop(path, why).count += count

    def counts(self) -> dict[str, int]:
        """Return how many rows were left out, by file and reason."""
        return {f"{name}: {reason}": drop.count for (name, reason), drop in self._drops.items()}

    def write(self, path: Path) -> None:
        """Write counts and samples as JSON."""
        reasons = [
            {"file": name, "reason": reason, "count": drop.count, "samples": drop.samples}
            for (name, reason), drop in self._drops.items()
        ]
        report = {"rows": sum(drop.count for drop in self._drops.values()), "reasons": reasons}
        text = json.dumps(report, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def _drop(self, path: Path, reason: str) -> _Drop:
        return self._drops.setdefault((path.name, reason), _Drop())
