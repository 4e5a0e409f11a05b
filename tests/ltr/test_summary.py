import numpy as np
import pytest

from recsys.ltr import summary
from recsys.ltr.summary import Scores

RNG = np.random.default_rng(7)


@pytest.fixture
def scores():
    """Two folds of three and two queries, two seeds; dla is 0.1 better, the truth 0.2."""
    found = Scores()
    rng = np.random.default_rng(0)
    for part, size in (("a", 3), ("b", 2)):
        for seed in (0, 1):
            base = rng.random(size)
            for method, gain in (("naive", 0.0), ("dla", 0.1), ("true-labels", 0.2)):
                values = base + gain
                if part == "a":
                    values = np.where([True, True, False], values, np.nan)
                found.add(method, part, seed, {"ndcg@10": values})
    return found


def test_folds_stand_side_by_side_and_seeds_below_each_other(scores):
    assert scores.matrix("dla", "ndcg@10").shape == (2, 5)


def test_queries_that_cannot_be_judged_are_left_out(scores):
    row = next(row for row in summary.means(scores, np.random.default_rng(0)))
    values = scores.matrix("naive", "ndcg@10")
    assert row["mean"] == pytest.approx(np.nanmean(values))


def test_paired_differences_cancel_what_queries_share(scores):
    rows = summary.differences(scores, "ndcg@10", np.random.default_rng(0))
    assert [row["method"] for row in rows] == ["dla", "true-labels"]
    assert rows[0]["low"] == pytest.approx(0.1) and rows[0]["high"] == pytest.approx(0.1)


def test_half_the_gap_is_half(scores):
    assert summary.gap_closed(scores, "ndcg@10", RNG)["dla"] == pytest.approx(0.5)


def test_without_true_labels_there_is_no_gap(scores):
    rest = Scores({key: value for key, value in scores.values.items() if key[0] != "true-labels"})
    assert summary.gap_closed(rest, "ndcg@10", RNG) == {}


def test_a_gap_within_chance_is_no_gap():
    rng = np.random.default_rng(0)
    found = Scores()
    for method in ("naive", "true-labels"):
        found.add(method, "a", 0, {"ndcg@10": rng.random(50)})
    assert summary.gap_closed(found, "ndcg@10", RNG) == {}


def test_buckets_average_their_own_queries(scores):
    table = summary.by_bucket(scores, "ndcg@10", [0, 1, 1, 0, 9])
    values = scores.matrix("dla", "ndcg@10").mean(axis=0)
    assert table["dla"][0] == pytest.approx((values[0] + values[3]) / 2)
    assert table["dla"][1] == pytest.approx(values[1])  # the other of the bucket is NaN


def test_an_examination_curve_is_compared_relative_to_its_first_position():
    rows = summary.examination({"dla": [np.array([2.0, 1.1])]}, np.array([0.8, 0.4]))
    assert rows[0]["curve"] == pytest.approx([1.0, 0.55])
    assert rows[0]["max_relative_error"] == pytest.approx(0.1)
    assert rows[0]["spearman"] == pytest.approx(1.0)
