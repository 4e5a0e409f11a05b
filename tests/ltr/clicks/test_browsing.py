import numpy as np
import pytest

from recsys.ltr.clicks.browsing import UserBrowsing
from recsys.ltr.clicks.position import PositionBased
from tests.ltr.clicks.contract import APPEAL, CURVE, LENGTH, ClickModelContract, simulated

EXAMINATION = 0.95 * CURVE[:, None] * np.linspace(1.0, 0.6, LENGTH + 1)


class TestUserBrowsing(ClickModelContract):
    name, model = "browsing", UserBrowsing(EXAMINATION)

    def test_examination_is_recovered_where_it_is_seen_often(self, fitted):
        found, true = fitted.model.examination, EXAMINATION / EXAMINATION[0, 0]
        assert found[:, 0] == pytest.approx(true[:, 0], rel=0.1)
        assert found[2:, 1] == pytest.approx(true[2:, 1], rel=0.15)


def test_a_reader_who_forgets_clicks_is_position_based():
    sessions = simulated(PositionBased(CURVE), 100)
    table = np.repeat(CURVE[:, None], LENGTH + 1, axis=1)
    expected = PositionBased(CURVE).probabilities(APPEAL, sessions)
    assert UserBrowsing(table).probabilities(APPEAL, sessions) == pytest.approx(expected)
