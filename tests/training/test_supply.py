import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.training.supply import LEAST_HOURS, PRIOR, evenness
from tests.training.logs import log_from


def two_spells(before, after):
    """Offer topics 0 and 1 in some shares for ten days, then in others; a news an hour each."""
    topic = np.concatenate([np.resize(before, 240), np.resize(after, 240)])
    news = np.arange(480)[None]
    return log_from(news, news % 2 > 0, 480, hours=news), topic


def test_clicks_count_alike_where_topics_are_offered_evenly():
    np.testing.assert_allclose(evenness(*two_spells([0, 1], [1, 0])), 1, rtol=0.03)


def test_what_is_offered_adds_up_to_the_same_of_each_topic_in_spells_of_other_topics():
    log, topic = two_spells([0, 0, 0, 1], [0, 1, 1, 1])
    weights = evenness(log, topic)
    for spell in (slice(0, 160), slice(320, 480)):  # away from where one becomes the other
        plain = np.bincount(topic[spell]) / 160
        evened = np.bincount(topic[spell], weights[spell]) / weights[spell].sum()
        assert np.abs(plain - 0.5).max() == 0.25
        assert np.abs(evened - 0.5).max() < 0.1


def test_what_was_clicked_changes_nothing():
    log, topic = two_spells([0, 0, 1], [0, 1])
    news = log.shown.news[None]
    other = log_from(news, np.ones_like(news, dtype=bool), 480, hours=news)
    np.testing.assert_array_equal(evenness(log, topic), evenness(other, topic))


def test_a_pause_of_weeks_leaves_numbers():
    hours = np.array([[0, 1, 2000, 2001]])
    log = log_from(np.arange(4)[None], hours > 0, 4, hours=hours)
    assert np.isfinite(evenness(log, np.array([0, 1, 0, 1]))).all()


def test_in_a_log_of_few_days_clicks_count_alike():
    topic = np.array([0, 0, 1, 1])
    since_1970 = 480_000
    for last, alike in ((LEAST_HOURS - 1, True), (LEAST_HOURS, False)):
        hours = since_1970 + np.array([[0, 1, last - 1, last]])
        log = log_from(np.arange(4)[None], hours > 0, 4, hours=hours)
        assert (evenness(log, topic) == 1).all() == alike


def test_news_that_were_never_shown_count_one():
    log, topic = two_spells([0], [1])
    assert evenness(log, np.append(topic, 2))[-1] == 1


@given(
    arrays(int, (4, 30), elements=st.integers(0, 9)),
    arrays(int, (4, 30), elements=st.integers(0, 500)),
    arrays(int, 10, elements=st.integers(0, 3)),
)
def test_weights_are_positive_and_bounded(news, hours, topic):
    log = log_from(news, news > 4, 10, hours=hours)
    weights = evenness(log, topic)
    assert (weights > 0).all()
    assert (weights <= (1 + PRIOR) / PRIOR + 1e-6).all()
