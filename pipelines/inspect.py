"""recsys inspect: check a dataset from end to end and say what is in it."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table
from rich.text import Text

from pipelines.console import emit, err, out
from recsys.data.dataset import Dataset
from recsys.data.tally import Tally

MAX_VALUES = 8
"""Values of an attribute that the table for people shows."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Folder written by `recsys ingest` or simulate.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a dataset and say what is in it.

    Every row is read again: ids, slates, ranges and references are checked, not only the files.

    Example: recsys inspect data/ml-100k
    """
    with err.status(Text(f"checking {dataset}")):
        report = inspect(Dataset.open(dataset))
    if json:
        emit(report)
        return
    out.print(_summary(str(dataset), report))
    if report["attributes"]:
        out.print(_attribute_table(report["attributes"], report["readers"]))
    for reason, count in report["dropped"].items():
        out.print(f"left out: {count:,} rows of {reason}")


def inspect(dataset: Dataset) -> dict[str, Any]:
    """Check and describe a dataset; the keys are those of the JSON output.

    Raises:
        DataError: The dataset breaks its contract.
    """
    counts = dataset.check()
    shown = counts.impressions or counts.ratings
    return {
        "source": dataset.info.source,
        **counts.model_dump(),
        "first_time": dataset.info.first_time,
        "last_time": dataset.info.last_time,
        "click_rate": counts.clicks / counts.impressions if counts.impressions else None,
        "impressions_per_slate": counts.impressions / counts.slates if counts.slates else None,
        "without_text_share": counts.without_text / shown,
        "attributes": _attributes(dataset),
        "dropped": dataset.info.dropped,
    }


def _attributes(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Count each attribute's values among the readers of the impressions."""
    if dataset.attributes is None:
        return {}
    readers = Tally()
    for table in dataset.iter_impressions(["user_id"]):
        readers.add(table["user_id"].unify_dictionaries().combine_chunks())
    ids = pd.Index(readers.counts()["id"].to_pandas())
    known = dataset.attributes.set_index("user_id").reindex(ids)
    return {str(name): _coverage(column) for name, column in known.items()}


def _coverage(values: "pd.Series[Any]") -> dict[str, Any]:
    counts = {str(value): int(count) for value, count in values.value_counts().items()}
    known, missing = int(values.notna().sum()), int(values.isna().sum())
    share = known / len(values) if len(values) else 0.0
    return {"known": known, "missing": missing, "coverage": share, "values": counts}


def _summary(title: str, report: dict[str, Any]) -> Table:
    table = Table(title=f"{title}  ({report['source']})", show_header=False, title_justify="left")
    for name in ("readers", "news", "slates", "impressions", "clicks"):
        table.add_row(name, f"{report[name]:,}")
    if report["ratings"]:
        table.add_row("ratings", f"{report['ratings']:,}")
    table.add_row("histories in the log", f"{report['histories']:,}")
    table.add_row("from", _moment(report["first_time"]))
    table.add_row("to", _moment(report["last_time"]))
    if report["impressions"]:
        table.add_row("click rate", f"{report['click_rate']:.2%}")
        table.add_row("impressions a slate", f"{report['impressions_per_slate']:.1f}")
    table.add_row("shown without text", f"{report['without_text_share']:.1%}")
    table.add_row("  of unknown news", f"{report['unknown_news']:,} impressions")
    return table


def _moment(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "unknown"


def _attribute_table(attributes: dict[str, dict[str, Any]], num_readers: int) -> Table:
    table = Table(title="sensitive attributes", title_justify="left")
    table.add_column("attribute")
    table.add_column("value")
    table.add_column("readers", justify="right")
    table.add_column("share", justify="right")
    for name, attribute in attributes.items():
        for place, (value, count) in enumerate(_rows(attribute)):
            label = "" if place else name
            table.add_row(label, value, f"{count:,}", f"{count / num_readers:.1%}")
        table.add_section()
    return table


def _rows(attribute: dict[str, Any]) -> list[tuple[str | Text, int]]:
    """Return the most frequent values, then the others as one, then the missing."""
    values, missing = list(attribute["values"].items()), attribute["missing"]
    rows: list[tuple[str | Text, int]] = values[:MAX_VALUES]
    if rest := values[MAX_VALUES:]:
        rows.append((f"{len(rest)} more", sum(count for _, count in rest)))
    if missing:
        rows.append((Text("missing", style="yellow"), missing))
    return rows
