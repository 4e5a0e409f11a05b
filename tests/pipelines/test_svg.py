from xml.etree import ElementTree

import pytest

from pipelines import svg
from pipelines.svg import Bar, Series

NAN = float("nan")


def parsed(text):
    return ElementTree.fromstring(f"<div>{text}</div>")


def titles(text):
    return [node.text for node in parsed(text).iter("title")]


def test_every_point_says_what_it_is():
    chart = svg.lines([Series("dla & co", [1, 2], [0.5, 0.7])], "sessions", "ndcg")
    assert titles(chart) == ["dla & co: 1, 0.5", "dla & co: 2, 0.7"]


def test_higher_values_are_drawn_higher():
    chart = parsed(svg.lines([Series("a", [1, 2], [0.5, 0.7])], "x", "y"))
    low, high = (float(dot.get("cy")) for dot in chart.iter("circle"))
    assert high < low


def test_an_interval_spans_low_to_high():
    chart = parsed(svg.intervals([Bar("a", 1.0, 0.0, 2.0)], "value"))
    [line] = [node for node in chart.iter("line") if node.get("class") == "s0"]
    dot = next(chart.iter("circle"))
    middle = (float(line.get("x1")) + float(line.get("x2"))) / 2
    assert float(dot.get("cx")) == pytest.approx(middle, abs=0.1)


def test_an_unknown_interval_draws_the_value_alone():
    chart = svg.intervals([Bar("a", 1.0, NAN, NAN)], "value")
    assert titles(chart) == ["a: 1.0000"]


def test_a_missing_bar_is_left_out():
    chart = svg.grouped_bars(["0", "1"], {"a": [0.5, NAN]}, "bucket", "ndcg")
    assert titles(chart) == ["a, 0: 0.5000"]


def test_a_flat_line_does_not_divide_by_zero():
    chart = svg.lines([Series("a", [1, 1], [2, 2])], "x", "y")
    assert "nan" not in chart and len(titles(chart)) == 2


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.19, 0.125, [-0.1, 0.0, 0.1]),
        (64_000, 512_000, [100_000, 200_000, 300_000, 400_000, 500_000]),
        (2.0, 2.0, [2.0]),
    ],
)
def test_ticks_are_round_numbers_inside_the_axis(low, high, ticks):
    assert svg._round_values(low, high) == pytest.approx(ticks)
