"""Small charts as SVG text: they need no script, follow the page's colours, and print.

Colours are CSS classes ``s0`` to ``s9`` of the page; every mark has a ``<title>`` that a browser
shows on hovering.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 14, 44
NUM_COLOURS = 10


@dataclass(frozen=True)
class Series:
    """A named row of points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


@dataclass(frozen=True)
class Bar:
    """A value with its interval; low and high may be NaN."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.stop - self.start)


def lines(series: Sequence[Series], x_label: str, y_label: str, *, from_zero: bool = False) -> str:
    """Draw lines with a legend below.

    Args:
        series: At least one, each with as many x as y.
        x_label: What the horizontal axis is, with its unit.
        y_label: What the vertical axis is.
        from_zero: Whether the vertical axis starts at 0.
    """
    all_x = np.concatenate([one.x for one in series])
    all_y = np.concatenate([one.y for one in series])
    x = _Scale(float(all_x.min()), float(all_x.max()), LEFT, WIDTH - RIGHT)
    low = 0.0 if from_zero else float(all_y.min())
    y = _Scale(low, float(all_y.max()), HEIGHT - BOTTOM, TOP)
    body = [_axes(x, y, x_label, y_label)]
    body += [_line(one, index, x, y) for index, one in enumerate(series)]
    return _figure(body, HEIGHT) + _legend(series)


def intervals(bars: Sequence[Bar], label: str, *, reference: float | None = None) -> str:
    """Draw a value and its interval on a row each, with a vertical line at ``reference``."""
    known = [v for bar in bars for v in (bar.value, bar.low, bar.high) if np.isfinite(v)]
    known += [] if reference is None else [reference]
    height = TOP + BOTTOM + 28 * len(bars)
    margin = 0.05 * (max(known) - min(known) or 1.0)
    x = _Scale(min(known) - margin, max(known) + margin, 190, WIDTH - RIGHT)
    body = [_ticks(x, height, label)]
    if reference is not None:
        at = x(reference)
        body.append(
            f'<line class="ref" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        )
    body += [_whisker(bar, TOP + 28 * row + 14, x) for row, bar in enumerate(bars)]
    return _figure(body, height)


def grouped_bars(
    groups: Sequence[str], series: dict[str, Sequence[float]], x_label: str, y_label: str
) -> str:
    """Draw a cluster of bars a group; NaN draws none."""
    known = [value for values in series.values() for value in values if np.isfinite(value)]
    y = _Scale(0.0, max(known, default=1.0), HEIGHT - BOTTOM, TOP)
    x = _Scale(-0.5, len(groups) - 0.5, LEFT, WIDTH - RIGHT)
    width = 0.8 * (WIDTH - LEFT - RIGHT) / len(groups) / max(len(series), 1)
    body = [_axes(x, y, x_label, y_label, ticks_x=list(groups))]
    for index, (name, values) in enumerate(series.items()):
        for place, value in enumerate(values):
            if not np.isfinite(value):
                continue
            left = x(place) + (index - len(series) / 2) * width
            body.append(
                f'<rect class="f{index % NUM_COLOURS}" x="{left:.1f}" y="{y(value):.1f}" '
                f'width="{width:.1f}" height="{HEIGHT - BOTTOM - y(value):.1f}">'
                f"<title>{escape(f'{name}, {groups[place]}: {value:.4f}')}</title></rect>"
            )
    names = [Series(name, (), ()) for name in series]
    return _figure(body, HEIGHT) + _legend(names)


def _line(one: Series, index: int, x: _Scale, y: _Scale) -> str:
    colour = index % NUM_COLOURS
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(one.x, one.y, strict=True))
    dash = ' stroke-dasharray="6 4"' if one.dashed else ""
    dots = "".join(
        f'<circle class="f{colour}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3">'
        f"<title>{escape(f'{one.name}: {a:g}, {b:.4g}')}</title></circle>"
        for a, b in zip(one.x, one.y, strict=True)
    )
    return f'<polyline class="s{colour}"{dash} points="{points}"/>{dots}'


def _whisker(bar: Bar, row: float, x: _Scale) -> str:
    text = f"{bar.name}: {bar.value:.4f}"
    line = ""
    if np.isfinite(bar.low) and np.isfinite(bar.high):
        text += f" ({bar.low:.4f} to {bar.high:.4f})"
        line = (
            f'<line class="s0" x1="{x(bar.low):.1f}" x2="{x(bar.high):.1f}" '
            f'y1="{row:.1f}" y2="{row:.1f}"/>'
        )
    text += f"; {bar.note}" if bar.note else ""
    return (
        f'<g><title>{escape(text)}</title><text x="182" y="{row + 4:.1f}" class="end">'
        f'{escape(bar.name)}</text>{line}<circle class="f0" cx="{x(bar.value):.1f}" '
        f'cy="{row:.1f}" r="4.5"/></g>'
    )


def _axes(
    x: _Scale, y: _Scale, x_label: str, y_label: str, ticks_x: list[str] | None = None
) -> str:
    floor = HEIGHT - BOTTOM
    parts = []
    for value in _round_values(y.low, y.high):
        at = y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        parts.append(f'<text class="end" x="{LEFT - 6}" y="{at + 4:.1f}">{value:.3g}</text>')
    places = (
        [(value, f"{value:g}") for value in _round_values(x.low, x.high)]
        if ticks_x is None
        else list(enumerate(ticks_x))
    )
    for value, text in places:
        parts.append(f'<text class="mid" x="{x(value):.1f}" y="{floor + 16}">{escape(text)}</text>')
    middle = (TOP + floor) / 2
    parts.append(
        f'<text class="mid" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}">{escape(x_label)}</text>'
    )
    parts.append(
        f'<text class="mid" x="14" y="{middle}" transform="rotate(-90 14 {middle})">'
        f"{escape(y_label)}</text>"
    )
    return "".join(parts)


def _ticks(x: _Scale, height: float, label: str) -> str:
    floor = height - BOTTOM
    parts = []
    for value in _round_values(x.low, x.high):
        at = x(value)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text class="mid" x="{at:.1f}" y="{floor + 16}">{value:.3g}</text>')
    middle = (x.start + x.stop) / 2
    parts.append(f'<text class="mid" x="{middle}" y="{height - 8}">{escape(label)}</text>')
    return "".join(parts)


def _round_values(low: float, high: float) -> list[float]:
    """About five round numbers from low to high, for the ticks of an axis."""
    if high <= low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((m for m in (1, 2, 5, 10) if m * power >= rough), default=10)
    count = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    return [float(f"{value:.12g}") for value in count * step]


def _figure(body: list[str], height: float) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">{"".join(body)}</svg>'


def _legend(series: Sequence[Series]) -> str:
    items = "".join(
        f'<span><i class="b{index % NUM_COLOURS}"></i>{escape(one.name)}</span>'
        for index, one in enumerate(series)
    )
    return f'<p class="legend">{items}</p>'
