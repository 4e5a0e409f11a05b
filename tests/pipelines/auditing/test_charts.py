import xml.etree.ElementTree as ElementTree

import pytest

from pipelines.auditing.charts import SHAPES, Guide, Mark, Row, forest, scatter, swatch
from pipelines.auditing.maps import Point

MARK = Mark("served", "circle", 0.5, 0.4, 0.6, "half & half <b>")


def _titles(svg):
    return [title.text for title in ElementTree.fromstring(svg).iter("title")]


def test_names_and_tips_are_escaped():
    svg = forest([Row("a < b", [MARK])], [], "share")
    assert "half & half <b>" in _titles(svg)
    assert "a < b" in [text.text for text in ElementTree.fromstring(svg).iter("text")]


def test_values_lie_between_their_guides():
    svg = forest([Row("a", [MARK])], [Guide(0.2, "low", "limit"), Guide(0.8, "up", "limit")], "x")
    places = [float(g.find("line").get("x1")) for g in ElementTree.fromstring(svg) if _is_guide(g)]
    path = next(ElementTree.fromstring(svg).iter("path")).get("transform")
    at = float(path.removeprefix("translate(").split()[0])
    assert at == pytest.approx(sum(places) / 2, abs=0.2)


def _is_guide(element):
    line = element.find("line")
    return line is not None and "guide" in line.get("class")


def test_row_without_marks_says_why():
    svg = forest([Row("tiny", [], note="insufficient data (5 readers)")], [], "x")
    assert "insufficient data (5 readers)" in svg


def test_far_readers_are_drawn_at_the_border():
    svg = scatter([Point(99.0, -99.0, 0), Point(0, 0, 1)], ["F", "M"], "map")
    assert _titles(svg) == ["F", "M"]
    assert "translate(328.0 328.0)" in svg


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn(shape):
    assert ElementTree.fromstring(swatch(shape, "v0")).find("path").get("d")
