import numpy as np
import pytest

from recsys.ranker.pool import Pool
from recsys.ranker.popularity import Popularity
from tests.ranker import worlds

HOUR = 3600.0
NOW = 1e9


def popularity(clicks, ages_hours):
    times = [0 if age is None else int(NOW - age * HOUR) for age in ages_hours]
    news = worlds.catalogue(
        np.zeros((len(clicks), 2)),
        popularity=np.array(clicks, np.float32),
        published_at=np.array(times, np.int64),
    )
    return Popularity(news, half_life_seconds=10 * HOUR)


def test_the_score_halves_with_each_half_life():
    scores = popularity([3, 3, 0], [0, 10, 20]).scores(np.arange(3))
    np.testing.assert_allclose(scores, [(1 + 3) / 1, (1 + 3) / 2, (1 + 0) / 4])


def test_a_news_without_a_time_counts_as_one_half_life_old():
    np.testing.assert_allclose(popularity([7], [None]).scores(np.arange(1)), [(1 + 7) / 2])


def test_old_news_keep_their_order_where_their_scores_vanish():
    world = popularity([0, 0, 0, 9], [90_000, 70_000, 80_000, 0])
    assert world.scores(np.arange(3)).max() == 0
    assert world.top(Pool(4, 4), 4).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (Pool(5, 5), [4, 3, 2]),
        (Pool(5, 3, hidden=np.array([2, 4])), [3, 1, 0]),
        (Pool(5, 2, allowed=np.array([1, 0, 0, 1, 0], bool)), [3, 0]),
        (Pool(5, 4, rows=np.array([0, 1, 2, 3])), [3, 2, 1]),
        (Pool(5, 0, rows=np.zeros(0, np.int64)), []),
    ],
)
def test_the_best_eligible_rows_come_first(pool, expected):
    assert popularity([0, 1, 2, 3, 4], [1] * 5).top(pool, 3).tolist() == expected


def test_ties_go_to_the_lower_row():
    assert popularity([1, 1, 1], [5, 5, 5]).top(Pool(3, 3), 2).tolist() == [0, 1]
