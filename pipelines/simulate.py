"""`recsys simulate`: a dataset whose truth is known, from nothing but a seed."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines import console, simulate_ltr
from recsys import config
from recsys.data.dataset import Dataset
from recsys.data.writer import DatasetWriter
from recsys.simulation import tables, world
from recsys.simulation.config import WorldConfig
from recsys.simulation.log import Log, Slates
from recsys.simulation.ltr import RankingWorld
from recsys.simulation.truth_writer import TruthWriter

SOURCE = "simulation"
BATCH_ROWS = 1 << 18
"""Impressions written at once."""


class Kind(StrEnum):
    """What is simulated."""

    news = "news"
    ltr = "ltr"


def _default(name: str) -> str:
    return f"{WorldConfig.model_fields[name].default:g}"


def _strength(name: str, text: str) -> Any:
    return typer.Option(help=text, show_default=_default(name), rich_help_panel="Strengths")


def _size(name: str, text: str) -> Any:
    return typer.Option(help=text, show_default=_default(name), rich_help_panel="Size")


def main(
    out: Annotated[Path, typer.Argument(help="Folder to be made.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="news: readers, news and clicks; ltr: queries with graded documents for "
            "`recsys evaluate-ultr`, settings by --set, as in --set num_queries=20000."
        ),
    ] = Kind.news,
    readers: Annotated[int | None, _size("readers", "Readers.")] = None,
    news: Annotated[int | None, _size("news", "News over the whole time.")] = None,
    days: Annotated[int | None, _size("days", "Days of log.")] = None,
    slate: Annotated[int | None, _size("slate", "News shown at a visit.")] = None,
    slates_per_reader: Annotated[
        float | None, _size("slates_per_reader", "Mean visits of a reader.")
    ] = None,
    attribute_bias: Annotated[
        float | None, _strength("attribute_bias", "How far interests depend on attributes.")
    ] = None,
    position_bias: Annotated[
        float | None, _strength("position_bias", "Power of the examination curve.")
    ] = None,
    exposure_bias: Annotated[
        float | None, _strength("exposure_bias", "Power of popularity in what is shown.")
    ] = None,
    missing: Annotated[
        float | None, _strength("missing", "Share of readers whose attribute is not known.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same bytes.", show_default="0")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with settings of the world.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, as in --set exploration=0.2.")
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Take the place of what is at OUT, of the same kind.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a dataset whose truth is known.

    Readers have sensitive attributes, and tastes that partly depend on them;
    news live for a day or two; popular news are shown more often, and upper
    places are looked at more often. What is true goes into OUT/truth, which
    training never reads.

    Strengths: 0 is none, 1 moderate, 3 strong.
    Options win over --set, and --set over --config.

    Example: recsys simulate data/demo --attribute-bias 2 --seed 7

    Example: recsys simulate data/ranking --kind ltr
    """
    options = {
        "readers": readers,
        "news": news,
        "days": days,
        "slate": slate,
        "slates_per_reader": slates_per_reader,
        "attribute_bias": attribute_bias,
        "position_bias": position_bias,
        "exposure_bias": exposure_bias,
        "missing": missing,
        "seed": seed,
    }
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    if kind is Kind.ltr:
        ranking = config.load(RankingWorld, file, [*(settings or []), *given])
        _report_ltr(simulate_ltr.simulate(out, ranking, replace=force), as_json=as_json)
        return
    chosen = config.load(WorldConfig, file, [*(settings or []), *given])
    _report(simulate(out, chosen, replace=force), chosen, as_json=as_json)


def simulate(out: Path, settings: WorldConfig, *, replace: bool = False) -> Dataset:
    """Draw a world and its log, and write both with their truth.

    Raises:
        ConfigError: The settings do not make a world.
        DataError: ``out`` is there already.
    """
    rng = np.random.default_rng(settings.seed)
    for_world, for_log = rng.spawn(2)
    with DatasetWriter(out, SOURCE, replace=replace) as writer:
        drawn = world.draw(settings, for_world)
        writer.news(tables.news(drawn))
        writer.attributes(tables.attributes(drawn))
        truth = TruthWriter(writer.folder, drawn)
        log = Log(drawn, for_log)
        for blocks in _batches(_watched(log, settings.hours), settings.slate):
            writer.impressions(tables.impressions(drawn, blocks))
            truth.impressions(blocks)
        truth.finish(log)
    return Dataset.open(out)


def _watched(log: Log, hours: int) -> Iterator[list[Slates]]:
    """Draw the log behind a progress bar."""
    with console.progress() as bar:
        yield from bar.track(log.hours(), total=hours, description="hours simulated")


def _batches(hours: Iterator[list[Slates]], slate: int) -> Iterator[list[Slates]]:
    """Gather hours until they are worth a row group; a batch has at least one slate."""
    batch: list[Slates] = []
    slates = 0
    for blocks in hours:
        batch += blocks
        slates += sum(len(block.readers) for block in blocks)
        if slates * slate >= BATCH_ROWS:
            yield batch
            batch, slates = [], 0
    if slates:
        yield batch


def _report(dataset: Dataset, settings: WorldConfig, *, as_json: bool) -> None:
    counts = dataset.info.counts
    if as_json:
        console.emit(
            {
                "dataset": str(dataset.path),
                "readers": counts.readers,
                "news": counts.news,
                "slates": counts.slates,
                "impressions": counts.impressions,
                "clicks": counts.clicks,
                "attributes": dataset.info.attributes,
                "settings": settings.model_dump(mode="json"),
            }
        )
        return
    console.out.print(
        f"{dataset.path}: {counts.readers:,} readers, {counts.news:,} news, "
        f"{counts.slates:,} slates, {counts.clicks:,} clicks "
        f"({counts.clicks / counts.impressions:.1%} of {counts.impressions:,} impressions)",
    )


def _report_ltr(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.emit(result)
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in result["queries"].items())
    console.out.print(
        f"{result['collection']}: queries {counts}; {sum(result['documents'].values()):,} "
        f"documents of {result['features']} features",
    )
