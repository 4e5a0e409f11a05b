"""What every `Store` must do; each adapter's test module inherits it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.errors import SpaceMismatch, VersionNotFound
from recsys.store.base import Event, Limits, VersionMeta

LIMITS = Limits(history_length=4, history_ttl_seconds=3600, max_events=1000)
START = datetime(2026, 5, 1, 3, tzinfo=UTC)
ONES = np.ones((2, 3), np.float16)
USERS = ["u1", "u2"]

INHERITED = [
    HealthCheck.function_scoped_fixture,  # ids differ enough for one store to serve all examples
    HealthCheck.differing_executors,  # each adapter's class runs the inherited test
    HealthCheck.too_slow,
]

ids = st.text(min_size=1, max_size=64)  # of up to 256 bytes
vectors = arrays(np.float16, (2, 3), elements=st.floats(width=16, allow_nan=False))


def meta(night=1, model_hash=None, space=None):
    """Night 1 is version 20260501T030000-00000001, in a space of its own, and so on."""
    model_hash = model_hash or f"{night:08x}"
    created_at = START + timedelta(days=night - 1)
    return VersionMeta(
        version=f"{created_at:%Y%m%dT%H%M%S}-{model_hash}",
        space=space or model_hash,
        dim=3,
        dtype="float16",
        num_news=5,
        num_readers=2,
        model_hash=model_hash,
        created_at=created_at,
        audit_verdict="pass",
        manifest='{"a": "é"}',
    )


def publish(store, version, users=USERS, rows=ONES, *, clicks=(), activate=True):
    store.publish(
        version,
        news=b"news of " + version.version.encode(),
        encoder=b"encoder",
        vectors=[(users, rows)],
        clicks=clicks,
        activate=activate,
    )
    return version


def event(user="u1", news="n1", *, clicked=True, minute=0):
    return Event(
        slate_id="s1",
        user_id=user,
        news_id=news,
        position=2,
        clicked=clicked,
        propensity=0.25,
        time=START + timedelta(minutes=minute, microseconds=7),
        dwell_seconds=1.5,
        model_version="v",
    )


class StoreContract:
    @pytest.fixture
    def store(self):
        raise NotImplementedError

    # -- versions

    def test_an_empty_store_has_no_live_version(self, store):
        assert store.versions() == []
        with pytest.raises(VersionNotFound, match="nothing was published yet"):
            store.live()

    def test_publishing_makes_a_version_live(self, store):
        version = publish(store, meta()).version
        assert store.live() == version

    def test_what_was_published_is_read_back(self, store):
        version = publish(store, meta()).version
        assert store.meta(version) == meta()
        assert store.news(version) == b"news of " + version.encode()
        assert store.encoder(version) == b"encoder"

    def test_versions_stand_in_the_order_of_their_time(self, store):
        for night in (2, 3, 1):
            publish(store, meta(night))
        assert store.versions() == [meta(1), meta(2), meta(3)]

    def test_a_version_can_be_published_without_going_live(self, store):
        publish(store, meta(1))
        publish(store, meta(2), activate=False)
        assert store.live() == meta(1).version
        assert store.versions() == [meta(1), meta(2)]

    def test_an_old_version_can_be_made_live_again(self, store):
        publish(store, meta(1))
        publish(store, meta(2))
        store.activate(meta(1).version)
        assert store.live() == meta(1).version

    @pytest.mark.parametrize("method", ["activate", "meta", "news", "encoder"])
    def test_an_unknown_version_is_not_found(self, store, method):
        publish(store, meta(1))
        with pytest.raises(VersionNotFound, match="nowhere"):
            getattr(store, method)("nowhere")
        assert store.live() == meta(1).version

    def test_a_publish_that_breaks_shows_nothing(self, store):
        def broken():
            yield USERS, ONES
            raise OSError("disk on fire")

        publish(store, meta(1))
        with pytest.raises(OSError, match="on fire"):
            store.publish(meta(2), news=b"", encoder=b"", vectors=broken(), clicks=[])
        assert store.versions() == [meta(1)]
        assert store.live() == meta(1).version
        publish(store, meta(2), rows=2 * ONES)
        np.testing.assert_array_equal(store.vectors(meta(2), ["u1"])["u1"], 2 * ONES[:1])

    # -- vectors

    def test_vectors_are_read_back_and_unknown_readers_left_out(self, store):
        publish(store, meta(), rows=np.arange(6, dtype=np.float16).reshape(2, 3))
        found = store.vectors(meta(), ["u2", "stranger"])
        assert list(found) == ["u2"]
        np.testing.assert_array_equal(found["u2"], np.array([[3, 4, 5]], np.float16))
        assert found["u2"].dtype == np.float16

    def test_no_reader_no_vector(self, store):
        assert store.vectors(meta(), []) == {}

    @given(users=st.lists(ids, min_size=2, max_size=2, unique=True), rows=vectors)
    @settings(max_examples=40, suppress_health_check=INHERITED)
    def test_any_id_and_any_vector_survive(self, store, users, rows):
        publish(store, meta(), users, rows)
        store.report([event(*users)])
        found = store.vectors(meta(), users)
        np.testing.assert_array_equal(np.concatenate([found[user] for user in users]), rows)
        assert store.histories(users[:1])[users[0]][-1] == users[1]

    def test_publishing_again_replaces_the_version(self, store):
        publish(store, meta())
        publish(store, meta(), users=["u2"], rows=2 * ONES[:1])
        assert list(store.vectors(meta(), USERS)) == ["u2"]
        assert store.versions() == [meta()]

    def test_each_version_keeps_its_own_vectors(self, store):
        publish(store, meta(1))
        publish(store, meta(2), rows=2 * ONES)
        np.testing.assert_array_equal(store.vectors(meta(1), ["u1"])["u1"], ONES[:1])
        np.testing.assert_array_equal(store.vectors(meta(2), ["u1"])["u1"], 2 * ONES[:1])

    def test_a_version_that_joins_a_space_writes_changed_readers_only(self, store):
        publish(store, meta(1))
        joined = publish(store, meta(2, space=meta(1).space), ["u2"], 2 * ONES[:1])
        for version in (meta(1), joined):
            found = store.vectors(version, USERS)
            np.testing.assert_array_equal(found["u1"], ONES[:1])
            np.testing.assert_array_equal(found["u2"], 2 * ONES[:1])

    def test_a_vector_of_another_model_is_refused(self, store):
        """A version is asked for vectors of a space that its model never wrote into."""
        publish(store, meta(1))
        publish(store, meta(2))
        stray = replace(meta(2), space=meta(1).space, dim=4)
        with pytest.raises(SpaceMismatch):
            store.vectors(stray, ["u1"])

    # -- pruning

    def test_pruning_keeps_the_newest_and_the_live(self, store):
        for night in (1, 2, 3, 4):
            publish(store, meta(night))
        store.activate(meta(1).version)
        assert store.prune(2) == [meta(2).version]
        assert store.versions() == [meta(1), meta(3), meta(4)]
        assert store.live() == meta(1).version

    def test_pruning_spares_a_version_that_is_named(self, store):
        for night in (1, 2, 3):
            publish(store, meta(night))
        assert store.prune(1, spare=meta(1).version) == [meta(2).version]
        assert store.versions() == [meta(1), meta(3)]

    def test_a_pruned_version_takes_its_vectors_along(self, store):
        publish(store, meta(1))
        publish(store, meta(2))
        store.prune(1)
        assert store.vectors(meta(1), USERS) == {}
        assert set(store.vectors(meta(2), USERS)) == set(USERS)
        with pytest.raises(VersionNotFound):
            store.activate(meta(1).version)

    def test_a_space_lives_as_long_as_one_of_its_versions(self, store):
        publish(store, meta(1))
        joined = publish(store, meta(2, space=meta(1).space), ["u2"], ONES[:1])
        store.prune(1)
        assert set(store.vectors(joined, USERS)) == set(USERS)

    def test_pruning_an_empty_store_or_few_versions_does_nothing(self, store):
        assert store.prune(3) == []
        publish(store, meta(1))
        assert store.prune(3) == []
        assert store.prune(0) == []

    # -- histories and events

    def test_publishing_seeds_histories_but_never_replaces_one(self, store):
        store.report([event("u1", "n9")])
        publish(store, meta(), clicks=[("u1", ["n1"]), ("u2", ["n1", "n2"]), ("u3", [])])
        assert store.histories([*USERS, "u3"]) == {"u1": ["n9"], "u2": ["n1", "n2"]}

    def test_histories_keep_the_newest_clicks(self, store):
        publish(store, meta(), clicks=[("u1", [f"n{i}" for i in range(6)])])
        assert store.histories(["u1"]) == {"u1": ["n2", "n3", "n4", "n5"]}
        store.report([event(news="n6"), event(news="n7", clicked=False), event(news="n8")])
        assert store.histories(["u1"]) == {"u1": ["n4", "n5", "n6", "n8"]}

    def test_events_wait_in_their_order(self, store):
        events = [event(minute=i, clicked=i % 2 == 0, news=f"ñ:{i}") for i in range(5)]
        assert store.report(events[:2]) == 2
        assert store.report(events[2:]) == 3
        assert list(store.events()) == events
        assert list(store.events()) == events

    def test_reporting_nothing_is_fine(self, store):
        assert store.report([]) == 0
        assert list(store.events()) == []

    def test_the_stream_is_capped(self, store):
        for minute in range(20):
            store.report([event(minute=minute)] * 200)
        waiting = list(store.events())
        assert LIMITS.max_events <= len(waiting) < 1.2 * LIMITS.max_events
        assert waiting[-1] == event(minute=19)

    # -- erasure

    def test_forgetting_erases_a_reader_everywhere(self, store):
        publish(store, meta(1))
        publish(store, meta(2), clicks=[("u1", ["n1"])])
        store.report([event("u1"), event("u2")])
        assert store.forget("u1") == 3
        assert list(store.vectors(meta(1), USERS)) == ["u2"]
        assert list(store.vectors(meta(2), USERS)) == ["u2"]
        assert list(store.histories(USERS)) == ["u2"]
        assert [one.user_id for one in store.events()] == ["u2"]
        assert store.is_forgotten(USERS) == [True, False]

    def test_forgetting_a_stranger_removes_nothing_but_is_remembered(self, store):
        assert store.forget("stranger") == 0
        assert store.is_forgotten(["stranger", "u1"]) == [True, False]
        assert store.is_forgotten([]) == []

    def test_publishing_skips_erased_readers(self, store):
        store.forget("u1")
        publish(store, meta(), clicks=[("u1", ["n1"]), ("u2", ["n1"])])
        assert list(store.vectors(meta(), USERS)) == ["u2"]
        assert list(store.histories(USERS)) == ["u2"]

    def test_nothing_is_remembered_of_erased_readers(self, store):
        store.forget("u1")
        assert store.report([event("u1"), event("u2")]) == 1
        assert list(store.histories(USERS)) == ["u2"]
        assert [one.user_id for one in store.events()] == ["u2"]

    def test_a_reader_erased_while_their_vector_is_written_stays_erased(self, store):
        def forgetful():
            yield USERS, ONES
            store.forget("u1")
            yield ["u3"], ONES[:1]

        store.publish(meta(), news=b"n", encoder=b"e", vectors=forgetful(), clicks=[])
        assert set(store.vectors(meta(), [*USERS, "u3"])) == {"u2", "u3"}

    def test_a_store_that_answers_pings(self, store):
        store.ping()
