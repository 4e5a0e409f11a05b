import numpy as np
import pytest

from recsys.simulation import readers
from recsys.simulation.config import WorldConfig
from recsys.simulation.taste import Axes
from recsys.simulation.titles import Lexicon

AXES = Axes.of(Lexicon.load())


def draw(**settings):
    return readers.draw(WorldConfig(**settings), AXES, np.random.default_rng(0))


def test_attributes_have_the_configured_shares():
    drawn = draw(readers=20_000, attributes={"gender": {"x": 3, "y": 1}})
    assert np.mean(drawn.attributes["gender"].codes) == pytest.approx(1 / 4, abs=0.02)


def test_attributes_are_missing_at_the_configured_rate():
    drawn = draw(readers=20_000, missing=0.3)
    for attribute in drawn.attributes.values():
        assert np.mean(attribute.known) == pytest.approx(0.7, abs=0.02)


def test_without_bias_tastes_are_purely_personal():
    drawn = draw(attribute_bias=0)
    np.testing.assert_array_equal(drawn.tastes, drawn.personal)


def test_bias_changes_tastes_and_nothing_else():
    one, other = draw(attribute_bias=0), draw(attribute_bias=3)
    np.testing.assert_array_equal(one.personal, other.personal)
    np.testing.assert_array_equal(one.visits, other.visits)
    assert not np.array_equal(one.tastes, other.tastes)


def test_every_reader_comes_and_all_together_as_often_as_asked():
    visits = draw(readers=5_000, slates_per_reader=12).visits.sum(axis=0)
    assert visits.min() >= 1
    assert visits.mean() == pytest.approx(12, rel=0.05)


def test_nights_are_quiet():
    hours = draw(readers=5_000).visits.sum(axis=1).reshape(-1, 24).sum(axis=0)
    assert hours[2:5].max() < 0.25 * hours[19:22].min()
