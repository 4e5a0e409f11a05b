"""Raw rows that break their format: refused at once, or counted, sampled and left out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recsys.errors import DataError

MAX_SAMPLES = 20
MAX_SHOWN_CHARS = 120


@dataclass
class _Reason:
    count: int = 0
    samples: list[dict[str, str]] = field(default_factory=list)


class BadRows:
    """The rows of a raw log that could not be used, by reason.

    Args:
        skip: Leave bad rows out and count them; otherwise the first one is an error.
    """

    def __init__(self, *, skip: bool) -> None:
        self.skip = skip
        self._reasons: dict[tuple[str, str], _Reason] = {}

    def reject(self, path: Path, lines: Iterable[int], expected: str, found: Iterable[str]) -> None:
        """Record rows of ``path`` that are not as ``expected``.

        Args:
            path: The raw file.
            lines: Their 1-based line (or row) numbers.
            expected: What a good row has, as in "5 tab-separated fields".
            found: What each of these rows has instead.

        Raises:
            DataError: There is such a row, and bad rows are not to be skipped.
        """
        for line, text in zip(lines, found, strict=True):
            shown = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
            if not self.skip:
                raise DataError.at(path, f"expected {expected}, found {shown!r}", line=line)
            reason = self._reasons.setdefault((path.name, expected), _Reason())
            reason.count += 1
            if len(reason.samples) < MAX_SAMPLES:
                reason.samples.append({"at": f"{path.name}:{line}", "found": shown})

    def counts(self) -> dict[str, int]:
        """Return how many rows were left out, by file and by what was expected of them."""
        return {
            f"{name}: expected {expected}": reason.count
            for (name, expected), reason in self._reasons.items()
        }

    def write(self, path: Path) -> None:
        """Write counts and samples as JSON."""
        reasons = [
            {"file": name, "expected": expected, "count": reason.count, "samples": reason.samples}
            for (name, expected), reason in self._reasons.items()
        ]
        total = sum(reason.count for reason in self._reasons.values())
        path.write_text(
            json.dumps({"rejected": total, "reasons": reasons}, indent=2) + "\n", encoding="utf-8"
        )
