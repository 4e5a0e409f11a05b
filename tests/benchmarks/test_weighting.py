import json

import pytest

from benchmarks import weighting
from pipelines.auditing.settings import AuditConfig
from recsys.fairness.leakage import LeakageConfig

ONE = LeakageConfig(attackers=("logistic regression",), num_samples=50)
SMALL = weighting.WORLD | {"readers": 600, "news": 100, "slates_per_reader": 10}


def test_differences_are_taken_world_by_world_with_an_interval_of_students_t():
    worlds = {1: {"x": (0.2, 0.3)}, 2: {"x": (0.4, 0.7)}, 3: {"x": (0.6, 0.8)}}
    found = weighting.summary(worlds)
    assert (found["worlds"], found["seeds"]) == (3, [1, 2, 3])
    assert (found["x"]["plain"], found["x"]["weighed"]) == pytest.approx((0.4, 0.6))
    more = found["x"]["difference"]
    assert more["by_world"] == pytest.approx([0.1, 0.3, 0.2])
    half = 4.3027 * 0.1 / 3**0.5  # quantile .975 of t with 2 degrees; standard deviation .1
    assert (more["low"], more["mean"], more["high"]) == pytest.approx(
        (0.2 - half, 0.2, 0.2 + half), abs=1e-4
    )


def test_one_world_has_no_interval():
    more = weighting.summary({1: {"x": (0.2, 0.3)}})["x"]["difference"]
    assert (more["low"], more["high"]) == (None, None)


@pytest.mark.slow
def test_a_world_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(weighting, "AuditConfig", lambda: AuditConfig(leakage=ONE))
    found = weighting.compared(tmp_path, 5, ["optimizer.max_epochs=1"], SMALL)
    assert set(found) == {"true_ndcg@10", "gender", "age_band"}
    plain, weighed = (
        json.loads((tmp_path / f"{kind}-5" / "metrics.json").read_text())["true_ndcg@10"]["mean"]
        for kind in ("plain", "weighed")
    )
    assert found["true_ndcg@10"] == (plain, weighed) and plain != weighed
    trained = (tmp_path / "plain-5" / "metrics.json").stat().st_mtime_ns
    assert weighting.compared(tmp_path, 5, ["optimizer.max_epochs=1"], SMALL) == found
    assert (tmp_path / "plain-5" / "metrics.json").stat().st_mtime_ns == trained
