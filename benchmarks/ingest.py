"""How fast and in how much memory is a MIND log read, checked and written as Parquet?

The peer is the usual loop over lines, as news recommenders' data loaders write it (Microsoft
Recommenders' MIND iterator is one): it only parses, into Python lists. A log of one million slates,
30 clicked and 36 shown, is made on the spot.

    python benchmarks/ingest.py --slates 1000000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np

NUM_NEWS = 65_000
NUM_READERS_PER_SLATE = 0.3
CLICKED, SHOWN = 30, 36
BLOCK = 2_000  # slates that repeat, under other ids of slate and reader
GIB = 1 << 30


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slates", type=int, default=1_000_000)
    parser.add_argument("--peer-slates", type=int, default=100_000)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_ingest(options.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_compare(Path(folder), options.slates, options.peer_slates), indent=2))


def _compare(folder: Path, num_slates: int, peer_slates: int) -> dict[str, object]:
    raw = folder / "raw"
    raw.mkdir()
    _write_news(raw / "news.tsv")
    _write_behaviors(raw / "behaviors.tsv", num_slates, np.random.default_rng(0))
    peer_slates = min(peer_slates, num_slates)
    before = _parse_line_by_line(raw / "behaviors.tsv", peer_slates)
    child = [sys.executable, __file__, "--child", str(folder)]
    ours = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    after = _parse_line_by_line(raw / "behaviors.tsv", peer_slates)
    speed = num_slates / ours["seconds"]
    peer_speed = 2 * peer_slates / (before + after)
    return {
        "name": "ingest",
        "ratio": round(speed / peer_speed, 2),
        "unit": "slates per second, ours over the peer's",
        "peer": "per-row Python loop that only parses, before and after ours",
        "settings": {
            "slates": num_slates,
            "clicked": CLICKED,
            "shown": SHOWN,
            "news": NUM_NEWS,
            "peer_slates": peer_slates,
        },
        "peak_gib": round(ours["peak_bytes"] / GIB, 3),
        "limit_gib": 2,
        "slates_per_second": round(speed),
        "peer_slates_per_second": round(peer_speed),
        "raw_bytes": (raw / "behaviors.tsv").stat().st_size,
        "impressions": ours["impressions"],
        "seconds": round(ours["seconds"], 2),
    }


def _ingest(folder: Path) -> dict[str, float]:
    """Run in a process of its own, so that the peak of its memory is ours alone."""
    from pipelines.ingest import ingest

    start = time.perf_counter()
    dataset = ingest("mind", folder / "raw", folder / "dataset")
    return {
        "seconds": time.perf_counter() - start,
        "peak_bytes": _peak_bytes(),
        "impressions": dataset.info.counts.impressions,
    }


def _peak_bytes() -> int:
    """Return the peak of this process' memory; getrusage would count that of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kilobytes) * 1024


def _parse_line_by_line(path: Path, num_slates: int) -> float:
    """Parse as the usual loaders do, and return the seconds it took."""
    start = time.perf_counter()
    slates = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            slate_id, user, moment, history, shown = line.strip("\n").split("\t")
            clicked_before = history.split()
            when = datetime.strptime(moment, "%m/%d/%Y %I:%M:%S %p")
            news = [pair.split("-")[0] for pair in shown.split()]
            labels = [int(pair.split("-")[1]) for pair in shown.split()]
            slates.append((slate_id, user, when, clicked_before, news, labels))
            if len(slates) == num_slates:
                break
    return time.perf_counter() - start


def _write_news(path: Path) -> None:
    rows = (
        f"N{i}\tnews\tworld\tTitle of the news {i}\tIts abstract\thttps://example.org/{i}\t[]\t[]\n"
        for i in range(NUM_NEWS)
    )
    path.write_text("".join(rows), encoding="utf-8")


def _write_behaviors(path: Path, num_slates: int, rng: np.random.Generator) -> None:
    """Write slates whose news are drawn by Zipf's law of exponent 1."""
    popularity = np.cumsum(1 / np.arange(1, NUM_NEWS + 1))
    popularity /= popularity[-1]
    names = rng.permutation(NUM_NEWS)
    tails = [_tail(names, popularity, rng) for _ in range(min(BLOCK, num_slates))]
    num_readers = max(1, int(num_slates * NUM_READERS_PER_SLATE))
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, num_slates, BLOCK):
            readers = rng.integers(num_readers, size=BLOCK)
            ids = range(first, min(first + BLOCK, num_slates))
            file.writelines(
                f"{i}\tU{reader}\t{tail}"
                for i, reader, tail in zip(ids, readers, tails, strict=False)
            )


def _tail(names: np.ndarray, popularity: np.ndarray, rng: np.random.Generator) -> str:
    """Return time, history and shown news of one slate."""
    history = names[np.searchsorted(popularity, rng.random(CLICKED))]
    drawn = names[np.searchsorted(popularity, rng.random(20 * SHOWN))].tolist()
    shown = list(dict.fromkeys(drawn))[:SHOWN]  # no news twice
    day, hour = rng.integers(9, 16), rng.integers(1, 13)
    clicks = " ".join(f"N{news}" for news in history)
    pairs = " ".join(f"N{news}-{int(i == 0)}" for i, news in enumerate(shown))
    return f"11/{day}/2019 {hour}:{rng.integers(60):02}:05 PM\t{clicks}\t{pairs}\n"


if __name__ == "__main__":
    main()
