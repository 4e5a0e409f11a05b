from recsys.client import Ranking


def test_a_ranking_says_what_was_shown():
    ranking = Ranking(("N2", "N1"), (0.9, 0.1), (1.0, 0.5), "v7", "cached", "s1")
    first, second = ranking.impressions("U1", clicked={"N1"})
    assert (first.news_id, first.position, first.clicked, first.propensity) == ("N2", 1, False, 1.0)
    assert (second.news_id, second.position, second.clicked) == ("N1", 2, True)
    assert {one.slate_id for one in (first, second)} == {"s1"}
    assert {one.model_version for one in (first, second)} == {"v7"}
