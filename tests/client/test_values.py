import pytest

from recsys.client import Ranking
from recsys.errors import InvalidRequest


def test_a_ranking_says_what_was_shown():
    ranking = Ranking(("N2", "N1"), (0.9, 0.1), (1.0, 0.5), "v7", "cached", "s1")
    first, second = ranking.impressions("U1", clicked={"N1"})
    assert (first.news_id, first.position, first.clicked, first.propensity) == ("N2", 1, False, 1.0)
    assert (second.news_id, second.position, second.clicked) == ("N1", 2, True)
    assert {one.slate_id for one in (first, second)} == {"s1"}
    assert {one.model_version for one in (first, second)} == {"v7"}


def test_one_clicked_id_as_a_text_is_refused():
    """Each id that is a part of it would count as clicked."""
    with pytest.raises(InvalidRequest, match=r"^clicked: expected a list, as \['N12'\]"):
        Ranking(("N1",), (1.0,), (1.0,), "v1", "cached", "s1").impressions("U1", clicked="N12")
