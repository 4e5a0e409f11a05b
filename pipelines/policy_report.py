"""The HTML report of `recsys evaluate-policy`."""

from pathlib import Path
from typing import Any

from pipelines import page, svg
from pipelines.svg import Bar


def write(result: dict[str, Any], path: Path) -> None:
    """Write the report of a result of `recsys evaluate-policy`.

    Raises:
        DataError: The place cannot be written to.
    """
    found = result["overlap"]
    warnings = [page.text(f"Warning: {text}.", "warn") for text in found["warnings"]]
    page.write(
        path,
        "Off-policy evaluation",
        page.text(f"{result['log']}, policy {result['policy']}", "dim"),
        page.section("Overlap", *warnings, _overlap(found)),
        page.section(f"Value, {result['unit']}", _chart(result)),
        page.section("Which to trust", *(page.text(line) for line in result["advice"])),
        page.section("All estimates", _table(result)),
    )


def _overlap(found: dict[str, Any]) -> str:
    unsupported = found["unsupported"]
    rows = [
        ["rounds", f"{found['rounds']:,}"],
        ["effective sample size", f"{found['effective_sample_size']:,.0f}"],
        ["mean weight (1 if all is well)", f"{found['mean_weight']:.4f}"],
        ["largest weight", f"{found['max_weight']:.2f}"],
        ["weight above the 99th percentile", f"{found['clipped_mass']:.1%}"],
        [
            "choices the log never made",
            "unknown" if unsupported != unsupported else f"{unsupported:.2%}",
        ],
    ]
    verdict = "sufficient" if found["is_sufficient"] else "not sufficient"
    return page.text(f"Overlap is {verdict}.") + page.table(["", ""], rows)


def _chart(result: dict[str, Any]) -> str:
    bars = [
        Bar(
            row["estimator"],
            row["value"],
            row["low"],
            row["high"],
            f"effective sample size {row['effective_sample_size']:,.0f}",
        )
        for row in result["estimates"]
    ]
    names = {"on_policy": "on its own log", "logging_policy": "logging policy"}
    known = [(text, result[key]) for key, text in names.items() if result.get(key)]
    bars += [Bar(text, row["mean"], row["low"], row["high"]) for text, row in known]
    truth = result.get("on_policy")
    return svg.intervals(bars, result["unit"], reference=truth["mean"] if truth else None)


def _table(result: dict[str, Any]) -> str:
    head = [
        "estimator",
        "value",
        "95 %",
        "Bernstein 95 %",
        "effective",
        "largest weight",
        "weight unused",
    ]
    against = result.get("against_on_policy", {})
    if not against:
        return page.table(head, [_row(row) for row in result["estimates"]])
    rows = [[*_row(row), *_gap(against[row["estimator"]])] for row in result["estimates"]]
    return page.table([*head, "less on policy", "holds it"], rows)


def _gap(against: dict[str, Any]) -> list[str]:
    found = against["difference"]
    shown = f"{found['mean']:+.5f} ({found['low']:+.5f} to {found['high']:+.5f})"
    return [shown, "yes" if against["contained"] else "no"]


def _row(row: dict[str, Any]) -> list[str]:
    bounds = "none"
    if row["bernstein_low"] == row["bernstein_low"]:
        bounds = f"{row['bernstein_low']:.5f} to {row['bernstein_high']:.5f}"
    return [
        row["estimator"],
        f"{row['value']:.5f}",
        f"{row['low']:.5f} to {row['high']:.5f}",
        bounds,
        f"{row['effective_sample_size']:,.0f}",
        f"{row['max_weight']:.2f}",
        f"{row['clipped_mass']:.1%}",
    ]
