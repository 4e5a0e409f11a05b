import pytest

from recsys.evaluation.click import relative
from recsys.ltr.clicks.position import PositionBased
from tests.ltr.clicks.contract import CURVE, ClickModelContract


class TestPositionBased(ClickModelContract):
    name, model = "position", PositionBased(CURVE)

    def test_examination_is_recovered_up_to_scale(self, fitted):
        assert fitted.model.examination == pytest.approx(relative(CURVE), rel=0.05)
