import numpy as np
import pytest

from recsys.evaluation.ranking import ndcg
from recsys.training import judge


def brute_force(log, questions, train):
    """Popularity of the training part, found by sorting, one event at a time."""
    clicks = np.bincount(log.clicks.news[train], minlength=len(log.news_ids)).astype(float)
    values = []
    for reader, end in zip(questions.reader, questions.end, strict=True):
        target = log.clicks.news[end]
        seen = set(log.clicks.news[log.clicks.offsets[reader] : end]) - {target}
        others = [clicks[n] for n in range(len(clicks)) if n not in seen and n != target]
        above = sum(c > clicks[target] for c in others)
        ties = sum(c == clicks[target] for c in others) + 1
        places = np.arange(above + 1, above + ties + 1)
        values.append(np.mean(np.where(places <= 10, 1 / np.log2(places + 1), 0)))
    return np.array(values)


@pytest.fixture
def next_clicks(tiny_dataset, tiny_config):
    from recsys.data.reading_log import read
    from recsys.data.splits import SplitConfig, split

    log = read(tiny_dataset)
    return log, split(log, SplitConfig(protocol="next_click"))


def test_popularity_of_the_whole_catalogue_leaves_clicked_news_out(next_clicks):
    log, parts = next_clicks
    found = judge.answer_by_popularity(log, parts.test, parts.train)
    np.testing.assert_allclose(found, brute_force(log, parts.test, parts.train))


def test_popularity_of_a_slate_counts_only_clicks_before_it(corpus):
    log = corpus.log
    count = judge.clicks_before(log)
    for slate in range(len(log.shown.reader)):
        rows = log.shown.news[log.shown.offsets[slate] : log.shown.offsets[slate + 1]]
        earlier = log.clicks.news[log.clicks.slate < slate]
        expected = [(earlier == n).sum() for n in rows]
        assert count(rows[None], np.array([slate]))[0].tolist() == expected


def test_a_reader_who_points_at_the_clicked_news_has_perfect_slates(corpus):
    log, test = corpus.log, corpus.split.test
    news = np.eye(len(log.news_ids), dtype=np.float32)
    wanted = np.zeros((len(test.slate), len(news)), dtype=np.float32)
    for event, slate in enumerate(test.slate):
        at = slice(log.shown.offsets[slate], log.shown.offsets[slate + 1])
        wanted[event, log.shown.news[at][log.shown.clicked[at]]] = 1
    assert (judge.answer(log, test, wanted, news) == 1).all()


def test_answers_do_not_depend_on_how_many_are_scored_at_once(next_clicks, monkeypatch):
    log, parts = next_clicks
    rng = np.random.default_rng(0)
    readers = rng.normal(size=(len(parts.test.reader), 4)).astype(np.float32)
    news = rng.normal(size=(len(log.news_ids), 4)).astype(np.float32)
    whole = judge.answer(log, parts.test, readers, news)
    monkeypatch.setattr(judge, "SCORES_AT_ONCE", 1)
    np.testing.assert_array_equal(judge.answer(log, parts.test, readers, news), whole)


@pytest.fixture
def halves(tiny_dataset):
    from recsys.data.reading_log import read
    from recsys.data.splits import SplitConfig, arrange, split

    config = SplitConfig(protocol="random", positives="impressions", test=0.3)
    log = arrange(read(tiny_dataset, all_clicked=True), config, seed=0)
    return log, split(log, config)


def test_several_hidden_clicks_are_judged_as_one_ranking_of_the_unseen_catalogue(halves):
    log, parts = halves
    test, rng = parts.test, np.random.default_rng(0)
    readers = rng.integers(0, 3, (len(test.reader), 2)).astype(np.float32)
    news = rng.integers(0, 3, (len(log.news_ids), 2)).astype(np.float32)  # so that scores tie
    found = judge.answer(log, test, readers, news)
    for event, (reader, end, until) in enumerate(
        zip(test.reader, test.end, test.until, strict=True)
    ):
        hidden = log.clicks.news[end:until]
        seen = np.setdiff1d(log.clicks.news[log.clicks.offsets[reader] : end], hidden)
        allowed = np.setdiff1d(np.arange(len(news)), seen)
        wanted = np.bincount(hidden, minlength=len(news))[allowed] > 0
        assert found[event] == pytest.approx(
            ndcg((readers[event] @ news[allowed].T)[None], wanted[None])[0]
        )


def test_hidden_clicks_found_first_are_a_perfect_ranking(halves):
    log, parts = halves
    news = np.eye(len(log.news_ids), dtype=np.float32)
    wanted = np.zeros((len(parts.test.reader), len(news)), dtype=np.float32)
    for event, (end, until) in enumerate(zip(parts.test.end, parts.test.until, strict=True)):
        wanted[event, log.clicks.news[end:until]] = 1
    np.testing.assert_allclose(judge.answer(log, parts.test, wanted, news), 1)
