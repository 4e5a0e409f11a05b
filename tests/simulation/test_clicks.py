import numpy as np
import pytest

from recsys.simulation import clicks


def test_the_curve_is_raised_to_the_bias():
    np.testing.assert_allclose(clicks.examination(3, 2.0), [0.68**2, 0.61**2, 0.48**2])


def test_without_bias_every_place_is_looked_at():
    np.testing.assert_array_equal(clicks.examination(12, 0.0), np.ones(12))


def test_the_curve_goes_on_falling_beyond_its_last_place():
    curve = clicks.examination(20, 1.0)
    assert len(curve) == 20
    assert (np.diff(curve) < 0).all()
    assert curve[19] == pytest.approx(0.06 * 10 / 20)


def test_relevance_lies_between_noise_and_one():
    np.testing.assert_allclose(
        clicks.relevance(np.array([-50.0, 0.0, 50.0]), 0.1), [0.1, 0.1 + 0.9 / 2, 1.0]
    )
