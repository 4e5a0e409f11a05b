from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from recsys.simulation import tables


def test_the_log_starts_when_it_should_and_ends_with_its_last_day(small):
    world, _, blocks = small
    times = tables.impressions(world, blocks)["time"].to_pylist()
    start = world.config.start
    assert start <= times[0] < start + timedelta(hours=1)
    assert times[-1] < start + timedelta(days=world.config.days)


def test_a_start_in_another_time_zone_is_turned_into_utc(simulate):
    world, _, _ = simulate(
        readers=1, news=100, days=1, slates_per_reader=1, start="2026-01-05T00:00:00+02:00"
    )
    moment = tables.moments(world, np.array([1.5]))[0].as_py()
    assert moment == datetime(2026, 1, 4, 23, 30, tzinfo=UTC)


def test_a_slate_is_ten_rows_from_the_top_down(small):
    world, _, blocks = small
    frame = tables.impressions(world, blocks[:2]).to_pandas()
    np.testing.assert_array_equal(frame["position"], np.tile(np.arange(1, 11), len(frame) // 10))
    assert (frame.groupby("slate_id")["user_id"].nunique() == 1).all()
    assert frame["propensity"].between(0, 1).all()


def test_unknown_attributes_are_null_and_only_there(small):
    world, _, _ = small
    public, true = tables.attributes(world), tables.true_attributes(world)
    for name, attribute in world.readers.attributes.items():
        assert public[name].null_count == (~attribute.known).sum() > 0
        assert true[name].null_count == 0


def test_news_are_published_when_they_are_born(small):
    world, _, _ = small
    published = tables.news(world)["published_at"].cast(pa.int64()).to_numpy()
    hours = (published - published[0]) / 3_600_000_000
    assert hours == pytest.approx(world.news.born - world.news.born[0], abs=2 / 3600)
