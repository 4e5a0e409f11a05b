import numpy as np
import pytest

from recsys.evaluation.click import relative
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.clicks.trust import TrustBias, planted
from tests.ltr.clicks.contract import APPEAL, CURVE, LENGTH, ClickModelContract, simulated


class TestTrustBias(ClickModelContract):
    name, model = "trust", planted(CURVE)

    def test_slopes_are_recovered_up_to_scale(self, fitted):
        assert relative(fitted.model.slope) == pytest.approx(relative(self.model.slope), rel=0.1)


def test_without_false_clicks_it_is_position_based():
    sessions = simulated(PositionBased(CURVE), 100)
    expected = PositionBased(CURVE).probabilities(APPEAL, sessions)
    trust = TrustBias(CURVE, np.zeros(LENGTH))
    assert trust.probabilities(APPEAL, sessions) == pytest.approx(expected)
