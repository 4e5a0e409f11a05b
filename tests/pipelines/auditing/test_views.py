from dataclasses import asdict

import pytest

from pipelines.auditing import views
from recsys.fairness.groups import Gap


def told(*, among, low):
    gap = asdict(Gap("a", "b", difference=0.1, low=low, high=0.2, ratio=0.9, among=among))
    everyone, metric = {"ndcg@10": {"mean": 0.5}}, {"gap": gap, "groups": []}
    tree = {"utility": everyone, "groups": {"x": {"ndcg@10": metric, "click_rate": None}}}
    return views.groups(tree)[0]["gap"]


def test_a_gap_that_was_picked_among_many_groups_is_told_as_picked():
    assert told(among=3, low=0.01).endswith("allows for their being the extremes of 3 groups.")


def test_two_groups_that_differ_need_no_caveat():
    assert told(among=2, low=0.01).endswith("[0.0100, 0.2000].")


def test_a_gap_that_holds_zero_is_none():
    assert told(among=3, low=-0.01).endswith("the data do not tell them apart.")


@pytest.mark.parametrize(("number", "left_out"), [(24, 0), (60, 36)])
def test_owners_beyond_those_drawn_are_counted(number, left_out):
    owners = [
        {
            "name": f"p{row}",
            "protected": True,
            "share_of_catalogue": 1 / number,
            "share_of_exposure": 1 / number,
            "by_group": {},
        }
        for row in range(number)
    ]
    found = {"owners": owners, "er": {}, "rnd": {}, "protected_share_of_catalogue": 1.0}
    (part,) = views.exposure({"exposure": {"provider": found}})
    assert part["left_out"] == left_out
    assert (f"and {left_out} more;" in part["protected"]) == bool(left_out)
