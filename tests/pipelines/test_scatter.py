import re
from xml.etree import ElementTree

import pytest

from pipelines.scatter import Point, Value, scatter

POINTS = [
    Point("low & left", Value(0.5, 0.02), Value(0.30, 0.01)),
    Point("high", Value(0.7), Value(0.40)),
]


def groups(points):
    root = ElementTree.fromstring(scatter(points, "leakage", "quality"))
    return list(root.iter("{http://www.w3.org/2000/svg}g"))


def place(group):
    """Where the shape stands, and where its error bars begin and end across."""
    bar, shape = group.iter("{http://www.w3.org/2000/svg}path")
    x, y = map(float, re.findall(r"[\d.]+", shape.get("transform")))
    left, _, right = map(float, re.match(r"M([\d.]+),([\d.]+)H([\d.]+)", bar.get("d")).groups())
    return x, y, left, right


def test_more_is_further_right_and_higher():
    first, second = (place(group) for group in groups(POINTS))
    assert first[0] < second[0]
    assert first[1] > second[1]


def test_an_error_is_drawn_to_either_side():
    first, second = (place(group) for group in groups(POINTS))
    assert first[0] - first[2] == pytest.approx(first[3] - first[0], abs=0.2)
    assert first[2] < first[0]
    assert second[2] == second[3]  # none known


def test_points_are_told_apart_by_shape():
    shapes = [list(group)[-1].get("d") for group in groups(POINTS)]
    assert len(set(shapes)) == len(POINTS)


def test_a_single_point_is_drawn():
    assert len(groups(POINTS[1:])) == 1
