"""What every click model owes: it fits the log that it simulated itself, with known parameters."""

from functools import cache

import numpy as np
import pytest

from recsys.evaluation.click import perplexity
from recsys.ltr.clicks import FITS
from recsys.ltr.clicks.sessions import ClickModel, Fitted, Sessions

NUM_DOCUMENTS, LENGTH = 60, 6
CURVE = np.array([0.95, 0.8, 0.6, 0.4, 0.3, 0.2])
APPEAL = np.random.default_rng(3).uniform(0.05, 0.95, NUM_DOCUMENTS)


def simulated(model: ClickModel, num_sessions: int = 20_000, seed: int = 0) -> Sessions:
    rng = np.random.default_rng(seed)
    shown = rng.integers(NUM_DOCUMENTS, size=(num_sessions, LENGTH))
    clicks = model.simulate(APPEAL, shown, rng)
    return Sessions(shown, clicks, np.ones(shown.shape, dtype=bool))


class ClickModelContract:
    """Inherited by each model's test, which says what the model is."""

    name: str
    model: ClickModel

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _fit(type(self))

    def test_perplexity_of_the_fit_is_the_truths_within_one_percent(self, fitted):
        fresh = simulated(self.model, seed=1)
        truth = perplexity(self.model.probabilities(APPEAL, fresh), fresh.clicks, fresh.mask)
        ours = perplexity(
            fitted.model.probabilities(fitted.appeal, fresh), fresh.clicks, fresh.mask
        )
        assert ours == pytest.approx(truth, rel=0.01)

    def test_predicted_clicks_are_the_simulated_ones_on_average(self):
        sessions = simulated(self.model)
        chances = self.model.probabilities(APPEAL, sessions)
        assert chances.mean(axis=0) == pytest.approx(sessions.clicks.mean(axis=0), abs=0.01)

    def test_documents_keep_the_order_of_their_appeal(self, fitted):
        assert np.corrcoef(fitted.appeal, APPEAL)[0, 1] > 0.98

    def test_same_seed_same_clicks(self):
        assert (simulated(self.model, 99).clicks == simulated(self.model, 99).clicks).all()


@cache
def _fit(test: type[ClickModelContract]) -> Fitted:
    return FITS[test.name](simulated(test.model), NUM_DOCUMENTS)
