"""Tables of the documents, to be held against the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of each row of a table in `docs`, found by its first heading."""
    _, found, after = (ROOT / "docs" / page).read_text().partition(f"\n| {head} |")
    assert found, head
    lines = after.partition("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]


def names(page: str, head: str) -> list[str]:
    """What stands between backticks in the first column of a table."""
    return [name for row in rows(page, head) for name in re.findall(r"`([^`]+)`", row[0])]
