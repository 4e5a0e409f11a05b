"""recsys ingest: a raw log, in its publisher's own layout, becomes a canonical dataset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from pipelines.console import emit, err, progress
from recsys.data.census import Counts
from recsys.data.dataset import Dataset
from recsys.data.prefetch import prefetch
from recsys.data.raw import RawFolder
from recsys.data.sources import (
    adressa,
    coat,
    ebnerd,
    kuairec,
    mind,
    movielens,
    yahoo_r3,
)
from recsys.data.writer import DatasetWriter
from recsys.errors import ConfigError, DataError

SOURCES = {
    "adressa": adressa.read,
    "coat": coat.read,
    "ebnerd": ebnerd.read,
    "kuairec": kuairec.read,
    "mind": mind.read,
    "movielens": movielens.read,
    "yahoo-r3": yahoo_r3.read,
}
MEGABYTE = 1e6


def main(
    source: Annotated[str, typer.Argument(help="Layout of RAW: " + ", ".join(SOURCES) + ".")],
    raw: Annotated[Path, typer.Argument(help="Folder of the files as their publisher ships them.")],
    out: Annotated[Path, typer.Argument(help="Dataset folder to make.")],
    skip_bad_rows: Annotated[
        bool,
        typer.Option(
            "--skip-bad-rows",
            help="Leave bad rows out and count them in OUT/rejected.json; otherwise the first "
            "one ends the command.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the dataset that is there.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Turn a raw log into a canonical dataset.

    The whole dataset is checked while it is written; nothing is left of one that fails.

    Example: recsys ingest movielens ml-100k data/ml-100k
    """
    if source not in SOURCES:
        raise ConfigError(f"source {source!r} is unknown; expected one of {', '.join(SOURCES)}")
    dataset = ingest(source, raw, out, skip_bad_rows=skip_bad_rows, replace=force)
    counts, dropped = dataset.info.counts, dataset.info.dropped
    if json:
        about = {"dataset": str(out), "source": source, "dropped": dropped}
        emit({**counts.model_dump(), **about, "attributes": dataset.info.attributes})
        return
    err.print(f"{out}: {_held(counts)}; {sum(dropped.values()):,} rows left out")
    err.print(f"next: recsys inspect {out}")


def ingest(
    source: str, raw: Path, out: Path, *, skip_bad_rows: bool = False, replace: bool = False
) -> Dataset:
    """Read the raw folder as ``source`` and write the dataset ``out``.

    Raises:
        DataError: Raw data or ``out`` is not as expected.
    """
    folder = RawFolder(raw, skip_bad_rows=skip_bad_rows)
    writer = DatasetWriter(out, source, replace=replace, bad_rows=folder.bad_rows)
    with writer, progress() as bar:
        task = bar.add_task(f"reading {source}, MB", total=None)
        empty = True
        for name, table in prefetch(_tables(source, folder)):
            writer.add(name, table)
            empty = empty and name not in ("impressions", "ratings")
            bar.update(
                task,
                completed=round(folder.read_bytes / MEGABYTE),
                total=round(folder.total_bytes / MEGABYTE),
            )
        if empty:
            dropped = sum(folder.bad_rows.counts().values())
            message = (
                f"the log is empty: expected an impression or rating; {dropped} rows were left out"
            )
            raise DataError.at(raw, message)
    return Dataset.open(out)


def _held(counts: Counts) -> str:
    if not counts.impressions:
        return f"{counts.ratings:,} ratings"
    return f"{counts.slates:,} slates, {counts.impressions:,} impressions, {counts.clicks:,} clicks"


def _tables(source: str, folder: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read the source; whatever Arrow cannot read, such as ids that are lists, is the input's."""
    try:
        yield from SOURCES[source](folder)
    except pa.ArrowException as error:
        raise DataError.at(folder.path, f"is not laid out as {source} is: {error}") from None
