import numpy as np
import pytest

from recsys.ranker.pool import Pools
from recsys.ranker.query import Condition, Query
from tests.ranker import worlds

NUM = 200
DAY = 86_400


def rows(*numbers):
    return np.array(numbers, np.int64)


@pytest.fixture
def pools():
    news = worlds.catalogue(
        np.zeros((NUM, 2)),
        categories=["sports" if i < 5 else "" for i in range(NUM)],
        providers=["even" if i % 2 == 0 else "odd" for i in range(NUM)],
        published_at=np.arange(NUM, dtype=np.int64) * DAY,
    )
    return Pools(news)


def members(pools, **query):
    pool = pools.build([Query(None, 1, **query)])[0]
    found = pool.members()
    assert pool.size == len(found)
    return found.tolist()


def test_without_candidates_the_whole_catalogue_is_eligible(pools):
    assert members(pools) == list(range(NUM))


def test_hidden_rows_count_once_however_often_they_are_named(pools):
    assert members(pools, hidden=rows(3, 1, 3)) == [0, 2, *range(4, NUM)]


def test_candidates_are_sorted_and_counted_once(pools):
    assert members(pools, rows=rows(9, 2, 9, 4), hidden=rows(4, 100)) == [2, 9]


def test_many_candidates_are_masked_and_few_are_gathered(pools):
    many, few = pools.build([Query(None, 1, rows=np.arange(150)), Query(None, 1, rows=rows(1, 2))])
    assert many.rows is None
    assert few.rows is not None
    assert many.members().tolist() == list(range(150))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition(), range(NUM)),
        (Condition(categories=frozenset({"sports"})), range(5)),
        (Condition(categories=frozenset({"unheard of"})), []),
        (Condition(providers=frozenset({"even", "odd"})), range(NUM)),
        (Condition(frozenset({"sports"}), frozenset({"odd"})), [1, 3]),
        (Condition(published_after=197 * DAY), [197, 198, 199]),
        (Condition(published_after=197 * DAY + 1), [198, 199]),
    ],
)
def test_every_part_of_a_condition_must_hold(pools, condition, expected):
    assert members(pools, condition=condition) == list(expected)


def test_news_without_a_time_are_left_out_when_a_time_is_asked_for(pools):
    assert 0 not in members(pools, condition=Condition(published_after=-DAY))


def test_a_condition_holds_for_candidates_and_hidden_rows_too(pools):
    condition = Condition(categories=frozenset({"sports"}))
    assert members(pools, rows=rows(1, 2, 3, 90), hidden=rows(2), condition=condition) == [1, 3]
