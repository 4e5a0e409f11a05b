import numpy as np
import pytest

from recsys.simulation import newsroom
from recsys.simulation.config import WorldConfig
from recsys.simulation.taste import Axes
from recsys.simulation.titles import Lexicon

LEXICON = Lexicon.load()
AXES = Axes.of(LEXICON)


@pytest.fixture(scope="module")
def news():
    config = WorldConfig(news=2_000, days=7)
    return newsroom.publish(config, LEXICON, AXES, np.random.default_rng(0))


def test_news_live_for_one_to_two_days(news):
    life = news.dies - news.born
    assert life.min() >= 24
    assert life.max() <= 48
    assert (np.diff(news.born) > 0).all()


def test_only_live_news_are_live(news):
    live = news.live(100)
    assert (news.born[live] <= 100).all()
    assert (news.dies[live] >= 101).all()
    assert len(live) > 2_000 * 24 / (24 * 8)


def test_titles_are_not_repeated(news):
    assert len(set(news.titles)) > 0.98 * len(news.titles)


def test_some_news_have_no_abstract(news):
    missing = np.mean([abstract is None for abstract in news.abstracts])
    assert missing == pytest.approx(1 - newsroom.ABSTRACT_SHARE, abs=0.05)


def test_providers_differ_in_size_and_lean_to_topics(news):
    table = np.zeros((AXES.topics, len(LEXICON.providers)))
    np.add.at(table, (news.topics, news.providers), 1)
    size = np.sort(table.sum(axis=0))
    assert size[-1] > 5 * size[0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    chi_square = ((table - expected) ** 2 / np.maximum(expected, 1)).sum()
    assert chi_square > 10 * (AXES.topics - 1) * (len(LEXICON.providers) - 1)


def test_sections_belong_to_their_topics(news):
    topics = [LEXICON.sections[section].topic for section in news.sections]
    np.testing.assert_array_equal(news.topics, topics)
