"""The HTML report of `recsys evaluate-ultr`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import page, svg
from pipelines.svg import Bar, Series

WATCHED = (
    "On the validation queries where clicks are simulated and the data have such queries, else on "
    "those of the test. Nothing is chosen by them."
)


def write(result: dict[str, Any], path: Path) -> None:
    """Write the report of a result of `recsys evaluate-ultr`.

    Raises:
        DataError: The place cannot be written to.
    """
    parts = [
        page.text(f"{result['data']}, {result['seeds']} seed(s)", "dim"),
        *(page.text(note) for note in result["notes"]),
        page.section(f"{result['metric']}, mean and 95 % interval", _headline(result)),
    ]
    if result["differences"]:
        parts.append(page.section("What each method adds to naive", _differences(result)))
    if result["learning_curves"]:
        parts.append(page.section("Learning curves", page.text(WATCHED), _curves(result)))
    if result["examination"]:
        parts.append(page.section("Examination, learned and true", *_examination(result)))
    if result["buckets"]:
        parts.append(page.section("By frequency of the query", _buckets(result)))
    if result["click_models"]:
        parts.append(page.section("Click models on held-out sessions", _clicks(result)))
    parts.append(page.section("All metrics", _metrics(result)))
    parts.append(page.section("Settings", _settings(result["settings"])))
    page.write(path, "Unbiased learning to rank", *parts)


def _headline(result: dict[str, Any]) -> str:
    rows = [row for row in result["results"] if row["metric"] == result["metric"]]
    bars = [Bar(row["method"], row["mean"], row["low"], row["high"]) for row in rows]
    return svg.intervals(bars, result["metric"])


def _differences(result: dict[str, Any]) -> str:
    closed = result["gap_closed"]
    bars = [
        Bar(
            row["method"],
            row["mean"],
            row["low"],
            row["high"],
            f"{closed[row['method']]:.0%} of the gap to true labels"
            if row["method"] in closed
            else "",
        )
        for row in result["differences"]
    ]
    return svg.intervals(bars, f"{result['metric']} above naive", reference=0.0)


def _curves(result: dict[str, Any]) -> str:
    series = [
        Series(name, [x for x, _ in points], [y for _, y in points])
        for name, points in result["learning_curves"].items()
    ]
    return svg.lines(series, "sessions seen", "nDCG@10")


def _examination(result: dict[str, Any]) -> list[str]:
    length = len(result["examination"][0]["curve"])
    places = list(range(1, length + 1))
    series = [Series(row["method"], places, row["curve"]) for row in result["examination"]]
    if result["examination_truth"] is not None:
        series.append(Series("truth", places, result["examination_truth"], dashed=True))
    chart = svg.lines(series, "position", "relative to the first", from_zero=True)
    if result["examination_truth"] is None:
        return [chart]
    rows = [
        [row["method"], f"{row['max_relative_error']:.1%}", f"{row['spearman']:.3f}"]
        for row in result["examination"]
    ]
    return [chart, page.table(["method", "largest relative error", "Spearman"], rows)]


def _buckets(result: dict[str, Any]) -> str:
    names = sorted({bucket for row in result["buckets"].values() for bucket in row}, key=int)
    series: dict[str, Sequence[float]] = {
        method: [row.get(name, float("nan")) for name in names]
        for method, row in result["buckets"].items()
    }
    labels = [str(name) for name in names]
    return svg.grouped_bars(labels, series, "frequency bucket, 0 the head", result["metric"])


def _clicks(result: dict[str, Any]) -> str:
    rows = [
        [
            row["model"],
            f"{row['log_likelihood']:.5f}",
            *(f"{value:.3f}" for value in row["perplexity"]),
        ]
        for row in result["click_models"]
    ]
    length = len(result["click_models"][0]["perplexity"])
    places = [f"perplexity {place}" for place in range(1, length + 1)]
    return page.table(["model", "log-likelihood", *places], rows)


def _metrics(result: dict[str, Any]) -> str:
    metrics = list(dict.fromkeys(row["metric"] for row in result["results"]))
    cells = {(row["method"], row["metric"]): row for row in result["results"]}
    methods = list(dict.fromkeys(row["method"] for row in result["results"]))
    rows = [[method, *(_cell(cells[method, metric]) for metric in metrics)] for method in methods]
    return page.table(["method", *metrics], rows)


def _cell(row: dict[str, float]) -> str:
    return f"{row['mean']:.4f} ({row['low']:.4f} to {row['high']:.4f})"


def _settings(settings: dict[str, Any]) -> str:
    rows = [
        [f"{group}.{name}", str(value)]
        for group, values in settings.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]
    return page.table(["setting", "value"], rows)
