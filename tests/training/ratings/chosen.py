"""Self-selected ratings beside some of news shown by chance, small enough to learn in a moment."""

import numpy as np
import pandas as pd

from recsys.training.ratings.fold import Fold
from recsys.training.ratings.study import Study


def table(poison=False):
    """Readers mostly rate what they like; a random part is rated by chance."""
    rng = np.random.default_rng(0)
    readers, news = np.divmod(np.arange(40 * 50), 50)
    taste = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 50))
    value = np.clip(np.round(3 + taste[readers, news]), 1, 5)
    chosen = rng.random(2000) < 0.1 + 0.3 * (value >= 3)
    by_chance = ~chosen & (rng.random(2000) < 0.2)
    frame = pd.DataFrame(
        {
            "user_id": readers.astype(str),
            "news_id": news.astype(str),
            "value": value.astype(np.float32),
            "randomised": by_chance,
        }
    )[chosen | by_chance].reset_index(drop=True)
    if poison:
        study = Study.of(frame, calibration=0.2, rng=np.random.default_rng(0))
        judged = by_chance[chosen | by_chance].nonzero()[0]
        held = np.random.default_rng(0).random(len(frame)) < 0.2
        rows = judged[~held[judged]]
        assert len(rows) == len(study.test)
        frame.loc[rows, "value"] = 6 - frame.loc[rows, "value"]
    return frame


def fold(poison=False):
    study = Study.of(table(poison), calibration=0.2, rng=np.random.default_rng(0))
    return Fold.draw(study, seed=0)
