import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from recsys.simulation.titles import Lexicon, plural


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon.load()


def headlines(lexicon, count, seed):
    rng = np.random.default_rng(seed)
    sections = rng.integers(len(lexicon.sections), size=count)
    tones = rng.integers(len(lexicon.tones), size=count)
    return sections, [lexicon.title(*place, rng) for place in zip(sections, tones, strict=True)]


@pytest.mark.parametrize(
    ("singular", "expected"),
    [
        ("wins the derby", "win the derby"),
        ("misses its train", "miss their train"),
        ("searches all night", "search all night"),
        ("fixes a flaw", "fix a flaw"),
        ("denies it", "deny it"),
        ("ties the game", "tie the game"),
        ("closes early", "close early"),
    ],
)
def test_a_verb_agrees_with_a_plural_subject(singular, expected):
    assert plural(singular) == expected


def test_every_title_is_filled_and_starts_with_a_capital(lexicon):
    _, titles = headlines(lexicon, 3_000, seed=0)
    for title in titles:
        assert re.match(r"'?[A-Z]", title), title
        assert not re.search(r"[{}]|  |\bNone\b", title), title


def test_every_section_can_say_everything(lexicon):
    rng = np.random.default_rng(1)
    for section in range(len(lexicon.sections)):
        for tone in range(len(lexicon.tones)):
            assert len({lexicon.title(section, tone, rng) for _ in range(20)}) > 5
        assert "{" not in lexicon.abstract(section, rng)


def test_words_tell_the_section(lexicon):
    sections, titles = headlines(lexicon, 3_000, seed=2)
    others, unseen = headlines(lexicon, 1_000, seed=3)
    counter = CountVectorizer().fit(titles)
    reader = MultinomialNB().fit(counter.transform(titles), sections)
    assert reader.score(counter.transform(unseen), others) > 0.9


def test_section_names_are_unique_within_a_topic(lexicon):
    names = Counter((section.topic, section.name) for section in lexicon.sections)
    assert max(names.values()) == 1
