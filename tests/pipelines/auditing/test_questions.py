from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipelines.auditing.evidence import Run
from pipelines.auditing.questions import HeldOut, held_out
from recsys.data.dataset import Dataset
from recsys.data.splits import SplitConfig, read_and_split, slates_of_test
from recsys.data.writer import DatasetWriter
from recsys.errors import CheckpointError
from tests.pipelines import audit_world

READERS, SLATES = 4, 40


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Readers come in turn; slate s shows news 2s and 2s + 1; one in three brings no click."""
    folder = tmp_path_factory.mktemp("questions") / "data"
    with DatasetWriter(folder, "test") as writer:
        names = [f"n{i}" for i in range(2 * SLATES)]
        writer.news(pa.table({"news_id": names, "title": names}))
        start = datetime(2026, 5, 1, tzinfo=UTC)
        rows = [
            (s, f"u{s % READERS}", start + timedelta(hours=s), f"n{2 * s + p}", p + 1, p < clicks)
            for s in range(SLATES)
            for clicks in [(1, 1, 0, 2)[s // READERS % 4]]
            for p in range(2)
        ]
        columns = ("slate_id", "user_id", "time", "news_id", "position", "clicked")
        values = map(list, zip(*rows, strict=True))
        writer.impressions(pa.table(dict(zip(columns, values, strict=True))))
    return Dataset.open(folder)


def asked(dataset, *, seed=0, **settings):
    config = SplitConfig(**settings)
    log, parts = read_and_split(dataset, config, seed=seed)
    return HeldOut(log, parts.test, slates_of_test(log, config))


def clicks_of(held, reader):
    readers, news = held.clicks()
    return sorted(news[readers == reader].tolist())


def test_slates_ask_for_their_clicks_after_all_that_was_clicked_before_the_first(dataset):
    """The last 16 slates: none brings a click in turn 6, all of 7 is clicked, one each in 8, 9."""
    held = asked(dataset, protocol="slates", test=0.4)
    assert clicks_of(held, 1) == [2 * 33, 2 * 37]  # not those of slate 29, where nothing is missed
    (history,) = held.histories([1])
    assert history.tolist() == [2, 10, 26, 27, 34, 42, 58, 59]  # slate 29 is before the question


def test_clicks_of_a_slate_that_asks_nothing_are_not_asked_for_between_those_that_are(dataset):
    held = asked(dataset, protocol="slates", test=0.45)
    assert clicks_of(held, 2) == [2 * 22, 2 * 34, 2 * 38]  # of slate 30 all was clicked


def test_click_rates_are_of_all_slates_of_the_tests_time(dataset):
    found = asked(dataset, protocol="slates", test=0.4).click_rates()
    assert len(found) == 2 * 16
    assert found["clicked"].mean() == (0 + 2 + 1 + 1) / (4 * 2)
    assert found.groupby("user_id").size().to_dict() == {f"u{r}": 8 for r in range(READERS)}


def test_the_next_click_alone_is_asked_for_after_all_others(dataset):
    held = asked(dataset, protocol="next_click")
    assert clicks_of(held, 0) == [2 * 36]
    (history,) = held.histories([0])
    assert history.tolist() == [0, 8, 24, 25, 32, 40, 56, 57, 64]
    assert held.click_rates() is None


@pytest.mark.parametrize("positives", ["clicks", "impressions"])
def test_a_drawn_share_is_asked_for_after_all_that_was_learned_and_validated(dataset, positives):
    settings = {"protocol": "random", "positives": positives, "test": 0.2}
    held = asked(dataset, seed=5, **settings)
    total = 10 if positives == "clicks" else 2 * SLATES // READERS
    for reader, history in enumerate(held.histories(range(READERS))):
        wanted = clicks_of(held, reader)
        assert len(wanted) == total * 0.2
        assert len(history) == total - len(wanted)
        assert not set(wanted) & set(history.tolist())
    assert held.click_rates() is None
    other = asked(dataset, seed=6, **settings)
    assert any(clicks_of(held, r) != clicks_of(other, r) for r in range(READERS))


def test_who_is_asked_nothing_keeps_all_clicks(dataset):
    held = asked(dataset, protocol="slates", test=0.05)
    readers = held.clicks()[0]
    assert set(readers.tolist()) < set(range(READERS)) | {2, 3}
    (history,) = held.histories([int(np.setdiff1d(np.arange(READERS), readers)[0])])
    assert len(history) == 10


def test_settings_that_do_not_lead_to_the_runs_events_are_refused(tmp_path):
    world = audit_world.build(tmp_path, leaky=False, num_readers=40, split="test = 0.2")
    dataset = Dataset.open(world.dataset)
    with pytest.raises(CheckpointError, match=r"held-out events are not those .*config\.toml"):
        held_out(Run.load(world.run, dataset), dataset)


def test_what_was_drawn_is_drawn_again_by_the_runs_own_seed(tmp_path):
    split = 'protocol = "random"'
    world = audit_world.build(tmp_path, leaky=False, num_readers=40, split=split)
    dataset = Dataset.open(world.dataset)
    run = Run.load(world.run, dataset)
    log, parts = read_and_split(dataset, run.split, seed=3)
    slates = log.shown.ids[parts.test.slate]
    run = replace(run, events=run.events.iloc[: len(slates)].assign(slate_id=slates))
    assert run.seed == 3
    assert np.array_equal(held_out(run, dataset).asked.slate, parts.test.slate)
    with pytest.raises(CheckpointError, match="held-out events are not those"):
        held_out(replace(run, config=run.config | {"seed": 0}), dataset)


def test_news_in_another_order_than_the_logs_are_refused(tmp_path):
    world = audit_world.build(tmp_path, leaky=False, num_readers=40)
    dataset = Dataset.open(world.dataset)
    run = Run.load(world.run, dataset)
    assert len(held_out(run, dataset).asked.reader)
    catalogue = replace(run.bundle.catalogue, ids=run.bundle.catalogue.ids[::-1])
    run = replace(run, bundle=replace(run.bundle, catalogue=catalogue))
    with pytest.raises(CheckpointError, match="readers, news or held-out events are not those"):
        held_out(run, dataset)
