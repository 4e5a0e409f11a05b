import numpy as np
import pytest

from recsys.evaluation.click import log_likelihood
from recsys.ltr.clicks import FITS
from recsys.ltr.clicks.browsing import UserBrowsing
from recsys.ltr.clicks.position import PositionBased
from tests.ltr.clicks.contract import (
    APPEAL,
    CURVE,
    LENGTH,
    NUM_DOCUMENTS,
    ClickModelContract,
    simulated,
)

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


def test_a_small_log_of_its_own_is_predicted_better_than_by_position_alone():
    places = np.arange(LENGTH)[:, None] - np.arange(LENGTH + 1)
    model = UserBrowsing(np.where(places >= 0, 1 / (1 + np.maximum(places, 0)), 0.0))
    log, fresh = simulated(model, 50), simulated(model, 2000, seed=1)
    found = {name: FITS[name](log, NUM_DOCUMENTS) for name in ("browsing", "position")}
    likelihoods = {
        name: log_likelihood(fit.model.probabilities(fit.appeal, fresh), fresh.clicks, fresh.mask)
        for name, fit in found.items()
    }
    assert likelihoods["browsing"] > likelihoods["position"]
