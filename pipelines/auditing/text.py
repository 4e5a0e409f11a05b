"""Numbers as the page prints them; None is a dash."""

from typing import Any


def number(value: float | None, digits: int = 3) -> str:
    """Format a number: 0.512."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Format a share: 12 %."""
    return (
        "–" if value is None else f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"
    )


def interval(
    found: dict[str, Any], digits: int = 3, sign: str = "", *, bounds_only: bool = False
) -> str:
    """Format a mean or an AUC with its interval: 0.512 [0.470, 0.554]."""
    low, high = found["low"], found["high"]
    none = low is None or high is None
    bounds = "[–]" if none else f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"
    middle = found["mean"] if "mean" in found else found["auc"]
    if bounds_only or middle is None:
        return bounds
    return f"{middle:{sign}.{digits}f} {bounds}"
