"""How fast and in how much memory does a Baidu-ULTR session file stream?

A gzipped file of 10 million documents with all 32 columns filled is made on the spot, from a block
of sessions that differ in length, text and clicks. The peer is a plain line count of the same file
in the same run: what decompressing costs and no reader can save. Memory is the peak of a process
that does nothing but stream, against a limit of 2 GiB.

    python benchmarks/baidu.py --rows 10000000
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.sources import baidu_ultr
from recsys.data.sources.baidu_ultr import COLUMNS, SESSIONS

LIMIT_BYTES = 2 << 30
BLOCK = 2_000  # sessions that repeat
LONGEST = 10
VOCABULARY = 22_000


def main() -> None:
    """Print one JSON object; exit 1 where memory passes the limit or rows are lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(stream(options.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part-00001.gz"
        written = write(path, options.rows)
        report = compare(path, written)
    print(json.dumps(report, indent=2))
    if report["rows"] != written or report["peak_bytes"] > LIMIT_BYTES:
        sys.exit(1)


def write(path: Path, num_rows: int) -> int:
    """Write whole blocks, one gzip member each, until there are as many rows; return how many."""
    table = sessions(np.random.default_rng(0))
    baidu_ultr.write_sessions(iter([table]), path)
    block, repeats = path.read_bytes(), -(-num_rows // table.num_rows)
    with path.open("wb") as file:
        for _ in range(repeats):
            file.write(block)
    return repeats * table.num_rows


def sessions(rng: np.random.Generator) -> pa.Table:
    """Draw sessions of one to ten documents, a value in every column."""
    rows = []
    for session in range(BLOCK):
        head = {
            "session": session,
            "query_id": str(session),
            "query": tokens(rng, 8),
            "reformulation": str(rng.integers(1000)),
        }
        for rank in range(1, rng.integers(1, LONGEST + 1) + 1):
            rows.append(head | {name: value(name, rank, rng) for name in COLUMNS})
    return pa.Table.from_pylist(rows, schema=SESSIONS)


def value(name: str, rank: int, rng: np.random.Generator) -> object:
    """Draw a column's value."""
    if name == "position":
        return rank
    if name in baidu_ultr.TEXT:
        return tokens(rng, 12 if name == "title" else 40)
    kind = SESSIONS.field(name).type
    if pa.types.is_integer(kind):
        return int(rng.random() < 1 / rank)
    if pa.types.is_floating(kind):
        return float(rng.integers(10_000)) / 10
    return f"{rng.integers(1 << 32):x}"


def tokens(rng: np.random.Generator, most: int) -> list[int]:
    """Draw a text."""
    return rng.integers(VOCABULARY, size=rng.integers(1, most + 1)).tolist()


def compare(path: Path, num_rows: int) -> dict[str, Any]:
    """Stream in a process of its own, count lines in this one, and report both."""
    child = [sys.executable, __file__, "--child", str(path)]
    ours = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    start = time.perf_counter()
    with gzip.open(path, "rb") as file:
        lines = sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 25), b""))
    counting = time.perf_counter() - start
    return {
        "name": "baidu",
        "ratio": counting / ours["seconds"],
        "unit": "rows a second over lines a second of counting them (gunzip included in both)",
        "peer": "line count of the same gzipped file, 32 MiB at a time",
        "rows": ours["rows"],
        "rows_written": num_rows,
        "columns": len(COLUMNS),
        "seconds": ours["seconds"],
        "peer_seconds": counting,
        "rows_per_second": ours["rows"] / ours["seconds"],
        "lines": lines,
        "peak_bytes": ours["peak_bytes"],
        "peak_limit_bytes": LIMIT_BYTES,
        "peak_ratio": ours["peak_bytes"] / LIMIT_BYTES,
        "file_bytes": path.stat().st_size,
    }


def stream(path: Path) -> dict[str, float]:
    """Read every block, as any user of the source does, and keep none."""
    start = time.perf_counter()
    rows = sum(table.num_rows for table in baidu_ultr.sessions(path))
    seconds = time.perf_counter() - start
    return {"rows": rows, "seconds": seconds, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """Return the peak of this process' memory; getrusage would count that of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main()
