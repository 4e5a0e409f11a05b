"""The page of `recsys propensity`: self-contained, light and dark, every mark with its numbers."""

import math
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = Path(__file__).parent / "templates" / "propensity.html.j2"
WIDTH = 560
"""Of a chart's drawing area, in its own units."""
ROOM = 30
"""Width of a bar's number, in the same units."""
MOST_COVARIATES = 60
"""Lines of the Love plot: the least balanced come first, the rest are counted."""


def render(diagnostics: dict[str, Any]) -> str:
    """Draw the page from what ``diagnostics.json`` holds."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    lines = sorted(
        diagnostics.get("standardised_mean_differences", []),
        key=lambda line: -max(abs(line["before"]), abs(line["after"])),
    )
    return template.render(
        about=diagnostics,
        love=_love(lines[:MOST_COVARIATES]),
        hidden=max(0, len(lines) - MOST_COVARIATES),
        reliability={
            name: _reliability(bins) for name, bins in diagnostics.get("reliability", {}).items()
        },
        curves={
            name: _curve(notes["curve"], notes["impressions"])
            for name, notes in diagnostics["notes"].items()
            if "curve" in notes
        },
        width=WIDTH,
    )


def _love(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Place absolute differences along a line from 0 to the largest, at least 0.2."""
    values = [abs(line[when]) for line in lines for when in ("before", "after")]
    top = max([0.2, *values])
    rows = [
        {
            **line,
            "y": 18 * number + 12,
            "x_before": WIDTH * abs(line["before"]) / top,
            "x_after": WIDTH * abs(line["after"]) / top,
        }
        for number, line in enumerate(lines)
    ]
    return {"rows": rows, "height": 18 * len(lines) + 8, "top": top, "mark": WIDTH * 0.1 / top}


def _reliability(bins: list[dict[str, float]]) -> dict[str, Any]:
    """Place bins by predicted (right) and observed (up), on one scale."""
    top = max(max(line["predicted"], line["observed"]) for line in bins) or 1.0
    points = [
        {**line, "x": 300 * line["predicted"] / top, "y": 300 - 300 * line["observed"] / top}
        for line in bins
    ]
    return {"points": points, "top": top}


def _curve(curve: list[float], impressions: list[float]) -> dict[str, Any]:
    """Draw a bar for each position; of many, every so many-th has room for its numbers."""
    top, step = max(curve), WIDTH / len(curve)
    every = math.ceil(ROOM / step)
    bars = [
        {
            "position": place + 1,
            "value": value,
            "impressions": int(count),
            "x": step * place,
            "height": 180 * value / top,
            "labelled": place % every == 0,
        }
        for place, (value, count) in enumerate(zip(curve, impressions, strict=True))
    ]
    return {"bars": bars, "step": step}
