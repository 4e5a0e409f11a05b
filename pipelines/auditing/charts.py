"""Charts of the audit's page as SVG text: no script, colours from the page, shapes besides colours.

Every mark sits in a ``<g>`` whose ``<title>`` a browser shows on hovering and reads aloud.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from unicodedata import east_asian_width

import numpy as np

from pipelines.auditing.maps import Point

WIDTH = 760
LABELS = 210
"""Width of the names left of a chart."""
NAME = 28
"""Letters that fit there; those of Chinese, Japanese and Korean are as wide as two."""
NUMBERS = 150
"""Width of the numbers right of a chart."""
ROW = 30
LANE = 11
"""Height of one interval where a row holds several."""
FOOT = 44
SIDE = 340
"""Width and height of a map."""

SHAPES = {
    "circle": "M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z",
    "diamond": "M0,-{w}L{w},0L0,{w}L-{w},0Z",
    "square": "M-{r},-{r}H{r}V{r}H-{r}Z",
    "triangle": "M0,-{w}L{w},{r}H-{w}Z",
    "cross": "M-{r},-{r}L{r},{r}M{r},-{r}L-{r},{r}",
    "plus": "M-{w},0H{w}M0,-{w}V{w}",
    "wedge": "M0,{w}L{w},-{r}H-{w}Z",
    "bar": "M-{t},-{w}H{t}V{w}H-{t}Z",
}
"""SVG paths around the origin, r the radius, w a little and t much wider or narrower."""

OPEN_SHAPES = {"cross", "plus"}

Scale = Callable[[float], float]
"""Value to horizontal place."""


@dataclass(frozen=True)
class Mark:
    """A value with its interval, on a row of a chart; low and high may be None."""

    kind: str
    """CSS class of its colour."""
    shape: str
    value: float
    low: float | None
    high: float | None
    tip: str


@dataclass(frozen=True)
class Row:
    """A named row of marks; without any, ``note`` stands in their place."""

    name: str
    marks: Sequence[Mark]
    note: str = ""
    numbers: str = ""


@dataclass(frozen=True)
class Guide:
    """A vertical line with a name, such as a threshold; beyond it the chart is shaded."""

    at: float
    name: str
    kind: str
    shade: str = ""
    """"right" or "left" of it, or not."""


def forest(rows: Sequence[Row], guides: Sequence[Guide], label: str, *, digits: int = 2) -> str:
    """Draw intervals on rows under named guides.

    Args:
        rows: From the top.
        guides: Vertical lines.
        label: What the horizontal axis is.
        digits: Of the axis' numbers.
    """
    low, high = _domain(rows, guides)
    heights = [max(ROW, LANE * (len(row.marks) + 1)) for row in rows]
    top, height = 24, 24 + sum(heights) + FOOT
    middles = [top + sum(heights[:index]) + own / 2 for index, own in enumerate(heights)]

    def x(value: float) -> float:
        return LABELS + (value - low) / (high - low) * (WIDTH - LABELS - NUMBERS)

    parts = [_shade(guide, x, (low, high), (top, height - FOOT)) for guide in guides]
    parts += [_axis(x, (low, high), height, label, digits)]
    parts += [_guide(guide, x, (top, height - FOOT)) for guide in guides]
    parts += [_row(row, middle, x) for row, middle in zip(rows, middles, strict=True)]
    return _svg(WIDTH, height, label, parts)


def scatter(points: Sequence[Point], values: Sequence[str], label: str) -> str:
    """Draw readers on a square map, each value of the attribute with a shape and colour of its own.

    Axes reach from -3 to 3 spreads; whoever lies further out is drawn at the border.
    """
    shapes = list(SHAPES)

    def place(value: float) -> float:
        return SIDE / 2 + float(np.clip(value, -3, 3)) / 3 * (SIDE / 2 - 12)

    middle = SIDE / 2
    parts = [
        f'<rect class="frame" x="1" y="1" width="{SIDE - 2}" height="{SIDE - 2}" rx="6"/>',
        f'<line class="grid" x1="{middle}" x2="{middle}" y1="8" y2="{SIDE - 8}"/>',
        f'<line class="grid" y1="{middle}" y2="{middle}" x1="8" x2="{SIDE - 8}"/>',
    ]
    for point in points:
        at = (place(point.x), place(-point.y))
        mark = _shape(shapes[point.value % len(shapes)], f"v{point.value % 8}", *at, radius=3.2)
        parts.append(f"<g><title>{escape(values[point.value])}</title>{mark}</g>")
    return _svg(SIDE, SIDE, label, parts)


def swatch(shape: str, kind: str) -> str:
    """Draw a shape alone, for a legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 14 14" aria-hidden="true">'
        f"{_shape(shape, kind, 7, 7)}</svg>"
    )


def _domain(rows: Sequence[Row], guides: Sequence[Guide]) -> tuple[float, float]:
    marks = [mark for row in rows for mark in row.marks]
    ends = [(mark.value, mark.low, mark.high) for mark in marks]
    known = [number for numbers in ends for number in numbers if number is not None]
    known += [guide.at for guide in guides]
    low, high = min(known, default=0.0), max(known, default=1.0)
    margin = 0.06 * ((high - low) or 1.0)
    return low - margin, high + margin


def _axis(x: Scale, domain: tuple[float, float], height: float, label: str, digits: int) -> str:
    floor = height - FOOT
    step = _step(domain[1] - domain[0])
    parts = [f'<line class="axis" x1="{LABELS}" x2="{WIDTH - NUMBERS}" y1="{floor}" y2="{floor}"/>']
    for value in np.arange(np.ceil(domain[0] / step), np.floor(domain[1] / step) + 1) * step:
        at = x(value)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="24" y2="{floor}"/>')
        text = f"{value + 0.0:.{digits}f}"
        parts.append(f'<text class="mid dim" x="{at:.1f}" y="{floor + 16}">{text}</text>')
    middle = (LABELS + WIDTH - NUMBERS) / 2
    parts.append(f'<text class="mid dim" x="{middle}" y="{floor + 34}">{escape(label)}</text>')
    return "".join(parts)


def _step(width: float) -> float:
    """Largest of 1, 2 and 5 times a power of ten that gives four ticks or more."""
    power = 10.0 ** np.floor(np.log10(width / 4))
    return float(max(power * factor for factor in (1, 2, 5) if power * factor <= width / 4))


def _shade(guide: Guide, x: Scale, domain: tuple[float, float], span: tuple[float, float]) -> str:
    if not guide.shade:
        return ""
    start, stop = (guide.at, domain[1]) if guide.shade == "right" else (domain[0], guide.at)
    return (
        f'<rect class="beyond" x="{x(start):.1f}" y="{span[0]}" '
        f'width="{max(0.0, x(stop) - x(start)):.1f}" height="{span[1] - span[0]}"/>'
    )


def _guide(guide: Guide, x: Scale, span: tuple[float, float]) -> str:
    at = f"{x(guide.at):.1f}"
    return (
        f"<g><title>{escape(guide.name)}: {guide.at:g}</title>"
        f'<line class="guide {guide.kind}" x1="{at}" x2="{at}" y1="{span[0]}" y2="{span[1]}"/>'
        f'<text class="mid dim" x="{at}" y="{span[0] - 8}">{escape(guide.name)}</text></g>'
    )


def _row(row: Row, y: float, x: Scale) -> str:
    parts = [f'<text class="end" x="{LABELS - 14}" y="{y + 4:.1f}">{_name(row.name)}</text>']
    middle = (len(row.marks) - 1) / 2
    for index, mark in enumerate(row.marks):  # bare values share the row's middle
        offset = 0 if mark.low is None else (index - middle) * LANE
        parts.append(_mark(mark, y + offset, x))
    if not row.marks:
        parts.append(
            f'<text class="dim" x="{LABELS + 8}" y="{y + 4:.1f}">{escape(row.note)}</text>'
        )
    parts.append(
        f'<text class="num" x="{WIDTH - NUMBERS + 12}" y="{y + 4:.1f}">{escape(row.numbers)}</text>'
    )
    return f"<g>{''.join(parts)}</g>"


def _name(name: str) -> str:
    """Leave the middle of a long name out: pairs of groups differ at either end."""
    wide = sum(east_asian_width(letter) in "WF" for letter in name)
    if len(name) + wide <= NAME:
        return escape(name)
    kept = NAME // 4 if wide else NAME // 2 - 1
    return f"{escape(f'{name[:kept]}…{name[-kept:]}')}<title>{escape(name)}</title>"


def _mark(mark: Mark, y: float, x: Scale) -> str:
    line = ""
    if mark.low is not None and mark.high is not None:
        line = (
            f'<line class="whisker {mark.kind}" x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    shape = _shape(mark.shape, mark.kind, x(mark.value), y)
    return f'<g class="mark"><title>{escape(mark.tip)}</title>{line}{shape}</g>'


def _shape(shape: str, kind: str, x: float, y: float, *, radius: float = 4.6) -> str:
    path = SHAPES[shape].format(r=radius, w=radius * 1.3, t=radius * 0.35)
    style = "open" if shape in OPEN_SHAPES else "full"
    return f'<path class="{style} {kind}" transform="translate({x:.1f} {y:.1f})" d="{path}"/>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
