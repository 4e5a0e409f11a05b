import numpy as np
import pytest

from recsys.fairness.leakage import LeakageConfig
from recsys.fairness.lists import hit_places, js_distance, js_floor, list_leakage, one_hot
from tests.fairness.vectors import genders

CONFIG = LeakageConfig(num_samples=100)
WORST = np.sqrt(np.log(2))  # distance of two groups that share no news


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def _lists(rng, values, news=50):
    """Women are shown news 0 to 29, men news 20 to 49."""
    start = np.where(np.array(values) == "F", 0, 20)
    return start[:, None] + rng.permuted(np.tile(np.arange(30), (len(values), 1)), axis=1)[:, :10]


def test_one_hot_counts_what_each_list_shows():
    lists = np.array([[0, 2, -1], [1, 1, 0]])
    np.testing.assert_array_equal(one_hot(lists, np.arange(3)).toarray(), [[1, 0, 1], [1, 2, 0]])


def test_news_of_no_category_are_left_out():
    counts = one_hot(np.array([[0, 1, 2]]), np.array([0, -1, 0])).toarray()
    np.testing.assert_array_equal(counts, [[2]])


def test_different_lists_are_told_apart(rng):
    values = genders(rng, 400)
    found = list_leakage(
        one_hot(_lists(rng, values), np.arange(50)), values, rng=rng, config=CONFIG
    )
    assert found.low > 0.9
    assert found.accuracy > found.majority
    assert found.macro_f1 > 0.8


def test_lists_of_everybody_give_nothing_away(rng):
    values = genders(rng, 400)
    features = one_hot(_lists(rng, ["F"] * 400), np.arange(50))
    found = list_leakage(features, values, rng=rng, config=CONFIG)
    assert found.low < 0.5 < found.high


def test_macro_f1_counts_a_small_value_as_much_as_a_large_one(rng):
    """Where lists tell nothing, either value is guessed for half of the readers."""
    values = ["F"] * 100 + ["M"] * 900
    features = one_hot(_lists(rng, ["F"] * 1000), np.arange(50))
    found = list_leakage(features, values, rng=rng, config=CONFIG)
    f1 = [2 * share * 0.5 / (share + 0.5) for share in (0.1, 0.9)]
    assert found.macro_f1 == pytest.approx(np.mean(f1), abs=0.04)


def test_five_readers_are_insufficient(rng):
    values = ["F"] * 5 + ["M"] * 100
    features = one_hot(_lists(rng, values), np.arange(50))
    assert list_leakage(features, values, rng=rng, config=CONFIG) is None


def test_distance_of_groups_that_share_nothing_is_the_largest():
    lists = np.array([[0, 1], [2, 3]])
    assert js_distance(lists, ["F", "M"], 4) == pytest.approx(WORST)


def test_distance_of_like_groups_is_zero():
    assert js_distance(np.array([[0, 1], [1, 0]]), ["F", "M"], 2) == 0


def test_distance_matches_a_case_worked_by_hand():
    # F: (1, 0), M: (1/2, 1/2), middle: (3/4, 1/4)
    lists = np.array([[0], [0], [0], [1]])
    divergence = (np.log(4 / 3) + 0.5 * np.log(2 / 3) + 0.5 * np.log(2)) / 2
    distance = js_distance(lists, ["F", "F", "M", "M"], 2)
    assert distance == pytest.approx(np.sqrt(divergence))


def test_only_hits_count_for_equal_opportunity():
    lists = np.array([[0, 1], [0, 2]])
    hits = hit_places(lists, np.array([0, 1, 1]), np.array([0, 0, 3]))
    np.testing.assert_array_equal(hits, [[True, False], [True, False]])
    assert js_distance(lists, ["F", "M"], 3) > 0
    assert js_distance(lists, ["F", "M"], 3, hits) == 0


def test_short_lists_hold_no_hits():
    assert not hit_places(np.array([[-1]]), np.array([0]), np.array([5])).any()


def test_distance_needs_two_groups_that_are_shown_something():
    assert np.isnan(js_distance(np.array([[0], [1]]), ["F", None], 2))
    assert np.isnan(js_distance(np.array([[0], [-1]]), ["F", "M"], 2))


def test_floor_deals_out_what_is_stated_to_who_states_it_and_counts_hits_alone(rng):
    lists, groups = np.array([[0, 2], [0, 3], [1, 4]]), ["F", "M", None]
    hits = np.array([[True, False], [True, False], [True, False]])
    assert js_floor(lists, groups, 5, hits, rng=rng) == 0
    assert js_floor(lists, groups, 5, rng=rng) == pytest.approx(js_distance(lists, groups, 5))


def test_readers_who_do_not_state_it_are_left_out(rng):
    values = genders(rng, 300)
    features = one_hot(_lists(rng, ["M"] * 100 + values), np.arange(50))
    found = list_leakage(features, [None] * 100 + values, rng=rng, config=CONFIG)
    assert found.low > 0.9
    assert found.majority == max(values.count("F"), values.count("M")) / 300


def test_floor_is_what_chance_gives(rng):
    values = genders(rng, 300)
    alike = _lists(rng, ["F"] * 300)
    floor = js_floor(alike, values, 50, rng=rng)
    assert js_distance(alike, values, 50) == pytest.approx(floor, rel=0.2)
    apart = _lists(rng, values)
    assert js_distance(apart, values, 50) > 5 * js_floor(apart, values, 50, rng=rng)
