from dataclasses import replace

import numpy as np
import pytest

from recsys.ltr.clicks.cascade import Cascade
from recsys.ltr.clicks.dynamic import DynamicBayesian
from tests.ltr.clicks.contract import (
    APPEAL,
    LENGTH,
    NUM_DOCUMENTS,
    ClickModelContract,
    simulated,
)

SATISFACTION = np.random.default_rng(4).uniform(0.1, 0.9, NUM_DOCUMENTS)


class TestDynamicBayesian(ClickModelContract):
    name, model = "dynamic", DynamicBayesian(0.8, SATISFACTION)

    def test_its_parameters_are_recovered(self, fitted):
        assert fitted.model.continuation == pytest.approx(0.8, abs=0.02)
        assert fitted.appeal == pytest.approx(APPEAL, abs=0.06)
        assert np.corrcoef(fitted.model.satisfaction, SATISFACTION)[0, 1] > 0.9


def test_full_satisfaction_and_patience_is_the_cascade():
    sessions = simulated(Cascade(), 1000)
    dynamic = DynamicBayesian(1.0, np.ones(NUM_DOCUMENTS)).probabilities(APPEAL, sessions)
    assert dynamic == pytest.approx(Cascade().probabilities(APPEAL, sessions))


def test_what_stands_behind_a_gap_of_a_list_does_not_matter():
    sessions = simulated(TestDynamicBayesian.model, 100)
    shown = np.ones(LENGTH, dtype=bool)
    shown[1] = False
    gapped = replace(sessions, clicks=sessions.clicks & shown, mask=sessions.mask & shown)
    other = replace(gapped, documents=np.where(shown, gapped.documents, 0))
    first, second = (TestDynamicBayesian.model.probabilities(APPEAL, s) for s in (gapped, other))
    assert first[:, shown] == pytest.approx(second[:, shown])
