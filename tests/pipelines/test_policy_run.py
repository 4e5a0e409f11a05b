import numpy as np
import pandas as pd
import pytest

from pipelines import policy_run
from pipelines.policy_run import RunPolicyConfig


def chances(scores, alive, news, **settings):
    arrays = np.array([scores], float), np.array([alive], bool), np.array([news])
    return policy_run._chances(*arrays, RunPolicyConfig(**settings))[0]


def test_full_exploration_is_a_uniform_draw_of_what_is_left():
    found = chances([5, 1, 0, 9], [1, 1, 1, 0], [0, 1, 2], explore=1.0)
    assert found == pytest.approx([1 / 3, 1 / 2, 1.0])


def test_chances_are_the_softmax_of_standardised_scores():
    scores = np.array([2.0, 0.0, -2.0])
    powers = np.exp(scores / scores.std())
    share = powers / powers.sum()
    found = chances(scores, [1, 1, 1], [1, 0], explore=0.0)
    assert found == pytest.approx([share[1], share[0] / (1 - share[1])])


def test_what_is_not_alive_takes_no_chance_away():
    alone = chances([1.0, 0.0], [1, 1], [0], explore=0.1)
    beside = chances([1.0, 0.0, 50.0], [1, 1, 0], [0], explore=0.1)
    assert beside == pytest.approx(alone)


def test_news_are_alive_from_their_first_to_their_last_showing():
    times = pd.to_datetime([0, 60, 120], unit="s", utc=True)
    log = pd.DataFrame({"news_id": ["a", "b", "a"], "time": times})
    first, last = policy_run._alive(log, pd.Index(["a", "b", "never"]))
    assert first.tolist()[:2] == [0, 60] and last.tolist()[:2] == [120, 60]
    assert first[2] > last[2]
