"""Values that have an error in both directions, as an SVG file of its own.

Each has a shape of its own and a legend that repeats its numbers, so that colour says nothing;
light or dark follows the reader's setting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from pipelines.auditing.charts import OPEN_SHAPES, SHAPES

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FLOOR = 920, 420, 56, 520, 30, 364
STYLE = """svg{font:13px system-ui,sans-serif;--ink:#1b1f24;--dim:#5b6570;--line:#dfe3e6;
--paper:#fff;--mark:#0b5cad}@media(prefers-color-scheme:dark){svg{--ink:#e7ebef;--dim:#9aa6b2;
--line:#303842;--paper:#12151a;--mark:#6db3f2}}.paper{fill:var(--paper)}text{fill:var(--ink)}
.dim{fill:var(--dim)}.mid{text-anchor:middle}.end{text-anchor:end}.grid{stroke:var(--line)}
.bar{stroke:var(--dim)}.full{fill:var(--mark);stroke:var(--paper)}
.open{fill:none;stroke:var(--mark);stroke-width:2.2}"""


@dataclass(frozen=True)
class Value:
    """A number and its error, 0 where it is not known."""

    mean: float
    error: float = 0.0


@dataclass(frozen=True)
class Point:
    """A named pair of values."""

    name: str
    """With its numbers: this is all that the legend says."""
    x: Value
    y: Value


def scatter(points: Sequence[Point], x_label: str, y_label: str) -> str:
    """Draw points with their errors, and a legend beside them.

    Args:
        points: At least one; from the ninth on shapes repeat.
        x_label: What the horizontal axis is.
        y_label: What the vertical axis is.
    """
    x = _Axis([point.x for point in points], LEFT, RIGHT)
    y = _Axis([point.y for point in points], FLOOR, TOP)
    parts = [*_grid(x, y), *_labels(x_label, y_label)]
    for row, point in enumerate(points):
        key, at = TOP + 12 + 26 * row, (x.of(point.x), y.of(point.y))
        parts.append(
            f"<g><title>{escape(point.name)}</title>"
            f'<path class="bar" d="M{x.of(point.x, -1)},{at[1]}H{x.of(point.x, 1)}'
            f'M{at[0]},{y.of(point.y, -1)}V{y.of(point.y, 1)}"/>{_mark(row, *at)}</g>'
            f"{_mark(row, RIGHT + 24, key)}"
            f'<text x="{RIGHT + 40}" y="{key + 4}">{escape(point.name)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f'<style>{STYLE}</style><rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>'
        f"{''.join(parts)}</svg>\n"
    )


class _Axis:
    def __init__(self, values: Sequence[Value], start: float, stop: float) -> None:
        low = min(value.mean - value.error for value in values)
        high = max(value.mean + value.error for value in values)
        margin = 0.06 * (high - low) or 0.01
        self._ends, self._places = (low - margin, high + margin), (start, stop)
        width = high - low + 2 * margin
        power = 10.0 ** np.floor(np.log10(width))
        step = next(power / part for part in (1, 2, 5, 10) if width * part > 3 * power)
        self.ticks = step * np.arange(np.ceil(self._ends[0] / step), self._ends[1] / step)

    def at(self, number: float) -> float:
        """Place of a number."""
        return round(float(np.interp(number, self._ends, self._places)), 1)

    def of(self, value: Value, errors: float = 0) -> float:
        """Place of a value, or of so many errors beside it."""
        return self.at(value.mean + errors * value.error)


def _grid(x: _Axis, y: _Axis) -> list[str]:
    return [
        *(
            f'<path class="grid" d="M{x.at(tick)},{TOP}V{FLOOR}"/>'
            f'<text class="dim mid" x="{x.at(tick)}" y="{FLOOR + 18}">{tick:.3g}</text>'
            for tick in x.ticks
        ),
        *(
            f'<path class="grid" d="M{LEFT},{y.at(tick)}H{RIGHT}"/>'
            f'<text class="dim end" x="{LEFT - 6}" y="{y.at(tick) + 4}">{tick:.3g}</text>'
            for tick in y.ticks
        ),
    ]


def _labels(x_label: str, y_label: str) -> list[str]:
    middle = (LEFT + RIGHT) / 2
    return [
        f'<text class="dim mid" x="{middle}" y="{HEIGHT - 10}">{escape(x_label)}</text>',
        f'<text class="dim" x="{LEFT}" y="16">{escape(y_label)}</text>',
    ]


def _mark(row: int, x: float, y: float) -> str:
    shape = list(SHAPES)[row % len(SHAPES)]
    path = SHAPES[shape].format(r=5, w=6.5, t=1.75)
    style = "open" if shape in OPEN_SHAPES else "full"
    return f'<path class="{style}" transform="translate({x} {y})" d="{path}"/>'
