import pytest

from recsys.ltr.clicks.cascade import Cascade
from tests.ltr.clicks.contract import APPEAL, ClickModelContract, simulated


class TestCascade(ClickModelContract):
    name, model = "cascade", Cascade()

    def test_appeal_is_recovered(self, fitted):
        assert fitted.appeal == pytest.approx(APPEAL, abs=0.05)

    def test_a_session_has_at_most_one_click(self):
        assert simulated(self.model).clicks.sum(axis=1).max() == 1
