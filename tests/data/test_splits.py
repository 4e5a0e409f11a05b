import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.dataset import Dataset
from recsys.data.reading_log import Clicks, ReadingLog, Shown
from recsys.data.splits import SplitConfig, arrange, read_and_split, slates_of_test, split
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError
from tests.data.tables import impressions, news


def log_of(slates):
    """Build a log from (reader, clicks as bools) in order of time; news are numbered through."""
    sizes = [len(clicked) for _, clicked in slates]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    clicked = np.array([c for _, row in slates for c in row], dtype=bool)
    reader = np.array([r for r, _ in slates])
    impression = np.flatnonzero(clicked)
    slate = np.searchsorted(offsets, impression, side="right") - 1
    order = np.argsort(reader[slate], kind="stable")
    num_readers = reader.max() + 1
    shown = Shown(
        offsets=offsets,
        news=np.arange(len(clicked)),
        clicked=clicked,
        weights=np.ones(len(clicked), dtype=np.float32),
        reader=reader,
        time=np.arange(len(slates)),
        ids=np.arange(len(slates)),
    )
    clicks = Clicks(
        offsets=np.searchsorted(reader[slate][order], np.arange(num_readers + 1)),
        news=impression[order],
        impression=impression[order],
        slate=slate[order],
    )
    return ReadingLog(
        [str(i) for i in range(len(clicked))],
        len(clicked),
        [str(i) for i in range(num_readers)],
        shown,
        clicks,
    )


slates = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.booleans(), min_size=1, max_size=4)),
    min_size=12,
    max_size=40,
)


@given(slates)
def test_slates_are_asked_about_after_all_training_clicks_with_earlier_history_only(rows):
    log = log_of(rows)
    try:
        parts = split(log, SplitConfig(validation=0.3, test=0.3))
    except DataError:
        return
    newest = log.clicks.slate[parts.train].max()
    assert parts.validation.slate.min() > newest
    assert parts.test.slate.min() > parts.validation.slate.max()
    for questions in (parts.validation, parts.test):
        for reader, end, slate in zip(
            questions.reader, questions.end, questions.slate, strict=True
        ):
            own = log.clicks.slate[log.clicks.offsets[reader] : log.clicks.offsets[reader + 1]]
            assert end - log.clicks.offsets[reader] == (own < slate).sum()


@given(slates)
def test_last_clicks_are_asked_about_and_nothing_after_them_is_learned(rows):
    log = log_of(rows)
    try:
        parts = split(log, SplitConfig(protocol="next_click", min_clicks=3))
    except DataError:
        return
    offsets = log.clicks.offsets
    assert (parts.test.end == offsets[parts.test.reader + 1] - 1).all()
    assert (parts.validation.end == parts.test.end - 1).all()
    assert parts.test.reader.tolist() == np.flatnonzero(np.diff(offsets) >= 3).tolist()
    assert (parts.test.until == parts.test.end + 1).all()
    held_out = np.concatenate([parts.test.end, parts.validation.end])
    assert not np.isin(held_out, parts.train).any()
    assert len(parts.train) + len(held_out) == len(log.clicks.news)


def test_history_of_a_slates_clicks_ends_before_that_slate():
    log = log_of([(0, [True]), (0, [True, True, False]), *[(0, [True, False])] * 8])
    parts = split(log, SplitConfig())
    assert parts.history_end[:3].tolist() == [0, 1, 1]


def test_readers_with_few_clicks_are_learned_from_and_not_asked():
    log = log_of([(0, [True])] * 2 + [(1, [True])] * 5)
    parts = split(log, SplitConfig(protocol="next_click", min_clicks=5))
    assert parts.test.reader.tolist() == [1]
    assert parts.train.tolist() == [0, 1, 2, 3, 4]


def test_a_log_too_small_to_split_says_so():
    with pytest.raises(DataError, match="too small to split"):
        split(log_of([(0, [True, False])]), SplitConfig())


RANDOM = SplitConfig(protocol="random", test=0.3, validation=0.2, min_clicks=3)


@given(slates, st.integers(0, 3))
def test_a_random_share_of_each_reader_is_hidden_and_the_rest_keeps_its_order(rows, seed):
    log = log_of(rows)
    moved = arrange(log, RANDOM, seed=seed)
    assert sorted(moved.clicks.news) == sorted(log.clicks.news)
    assert (moved.reader_of_click == log.reader_of_click).all()
    try:
        parts = split(moved, RANDOM)
    except DataError:
        return
    assert (parts.validation.until == parts.test.end).all()
    assert (parts.test.until == moved.clicks.offsets[parts.test.reader + 1]).all()
    sizes = np.diff(moved.clicks.offsets)[parts.test.reader]
    assert (parts.test.until - parts.test.end == np.rint(0.3 * sizes)).all()
    assert (parts.test.end - parts.validation.end == np.rint(0.2 * sizes)).all()
    asked = np.flatnonzero(np.diff(moved.clicks.offsets) >= RANDOM.min_clicks)
    assert parts.test.reader.tolist() == asked.tolist()
    learned = np.split(parts.train, np.flatnonzero(np.diff(moved.reader_of_click[parts.train])) + 1)
    assert all((np.diff(moved.clicks.impression[own]) > 0).all() for own in learned)
    hidden = [np.arange(a, b) for a, b in zip(parts.validation.end, parts.test.until, strict=True)]
    assert not np.isin(np.concatenate(hidden), parts.train).any()


def remembering(log, reader, number):
    """Let the log remember so many older clicks of a reader, of the first news."""
    clicks = log.clicks
    at, old, nothing = clicks.offsets[reader], np.zeros(number, int), np.full(number, -1)
    offsets = clicks.offsets + number * (np.arange(len(clicks.offsets)) > reader)
    columns = ((clicks.news, old), (clicks.impression, nothing), (clicks.slate, nothing))
    return dataclasses.replace(
        log, clicks=Clicks(offsets, *(np.insert(column, at, new) for column, new in columns))
    )


def test_remembered_clicks_are_history_and_neither_learned_nor_asked_for():
    log = remembering(log_of([(0, [True])] * 2 + [(1, [True])] * 3 + [(2, [True])]), 0, 4)
    log = remembering(log, 2, 4)
    parts = split(log, SplitConfig(protocol="next_click", min_clicks=3))
    assert parts.test.reader.tolist() == [0, 1]  # one click of the last reader is of this log
    assert parts.train.tolist() == [6, 13]
    assert parts.history_end[parts.train].tolist() == [6, 13]


def test_remembered_clicks_come_before_every_slate():
    log = remembering(log_of([(1, [True, False])] + [(0, [True, False])] * 10), 0, 3)
    parts = split(log, SplitConfig())
    assert parts.test.end.tolist() == [3 + 9]
    assert (log.clicks.slate[parts.train] >= 0).all()
    assert parts.history_end[:4].tolist() == [0, 0, 0, 3]


@given(slates)
def test_slates_are_asked_about_where_something_was_clicked_and_something_was_not(rows):
    log, config = log_of(rows), SplitConfig(validation=0.3, test=0.3)
    try:
        parts = split(log, config)
    except DataError:
        return
    told = [i for i, (_, clicked) in enumerate(rows) if any(clicked) and not all(clicked)]
    first, last = round(len(rows) * 0.4), round(len(rows) * 0.7)
    assert parts.validation.slate.tolist() == [i for i in told if first <= i < last]
    assert parts.test.slate.tolist() == [i for i in told if last <= i]
    assert slates_of_test(log, config).tolist() == list(range(last, len(rows)))
    assert sorted(log.clicks.slate[parts.train]) == sorted(s for s in log.clicks.slate if s < first)


def test_no_slate_is_of_the_tests_time_where_single_clicks_are_held_out():
    log = log_of([(0, [True, False])] * 12)
    assert not len(slates_of_test(log, SplitConfig(protocol="next_click")))


def test_remembered_clicks_are_never_hidden():
    log = remembering(log_of([(0, [True])] * 3 + [(1, [True])] * 3), 0, 40)
    moved = arrange(log, RANDOM, seed=0)
    parts = split(moved, RANDOM)
    for questions in (parts.validation, parts.test):
        assert questions.reader.tolist() == [0, 1]
        assert (questions.until - questions.end).tolist() == [1, 1]
        assert (moved.clicks.slate[questions.end] >= 0).all()
    assert len(parts.train) == 2


def test_hidden_clicks_are_drawn_from_all_of_a_readers_time():
    log = log_of([(0, [True] * 100), (1, [True] * 100), (2, [True] * 100)])
    moved = arrange(log, RANDOM, seed=0)
    parts = split(moved, RANDOM)
    for questions in (parts.validation, parts.test):
        for reader, end, until in zip(
            questions.reader, questions.end, questions.until, strict=True
        ):
            places = moved.clicks.impression[end:until] - 100 * reader
            assert places.mean() == pytest.approx(49.5, abs=15)


@pytest.mark.parametrize(("positives", "clicks"), [("clicks", 20), ("impressions", 40)])
def test_what_was_shown_counts_as_clicked_where_that_is_asked_for(tmp_path, positives, clicks):
    with DatasetWriter(tmp_path / "dataset", "test") as writer:
        writer.news(news("a", "b"))
        rows = ((slate, "u", one, one == "a") for slate in range(20) for one in "ab")
        writer.impressions(impressions(*rows))
    config = SplitConfig(protocol="random", positives=positives)
    log, parts = read_and_split(Dataset.open(tmp_path / "dataset"), config, seed=0)
    assert len(log.clicks.news) == clicks
    assert len(parts.train) == 0.8 * clicks


def test_another_seed_hides_other_clicks_and_the_same_the_same():
    log = log_of([(0, [True] * 4)] * 12)
    first, again, other = (arrange(log, RANDOM, seed=s).clicks.news for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_protocols_in_time_keep_the_order_of_clicks():
    log = log_of([(0, [True, True]), (1, [True])] * 6)
    assert arrange(log, SplitConfig(), seed=0) is log
