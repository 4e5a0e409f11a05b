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


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a provider of twenty-eight & <", "a provider of…nty-eight & <"),
        ("a very long group of readers × B", "a very long g…f readers × B"),
        ("読者" * 8, "読者読者読者読…者読者読者読者"),
    ],
)
def test_a_long_name_keeps_both_its_ends_and_is_told_in_full(name, shown):
    svg = ElementTree.fromstring(forest([Row(name, [MARK])], [], "x"))
    (text,) = svg.findall(".//text[@class='end']")
    assert text.text == shown
    assert text.find("title").text == name


@pytest.mark.parametrize("name", ["female × 30-44", "a name of twenty-eight chars", "読者" * 7])
def test_a_name_that_fits_is_left_as_it_is(name):
    svg = ElementTree.fromstring(forest([Row(name, [MARK])], [], "x"))
    assert svg.find(".//text[@class='end']").text == name


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
