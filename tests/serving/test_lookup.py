import threading

import pytest
from typing_extensions import override

from recsys.errors import SpaceMismatch, StoreUnavailable
from recsys.serving import lookup as module
from recsys.serving.lookup import Lookup
from recsys.serving.metrics import Metrics
from recsys.store.memory import MemoryStore
from tests.serving import world


class Breakable(MemoryStore):
    """A memory store that can be lost, can hang, and can hold vectors of a strange model."""

    lost = False
    hangs: threading.Event | None = None
    strange = frozenset()
    asked = 0

    @override
    def is_forgotten(self, users):
        self.asked += 1
        if self.hangs:
            self.hangs.wait(60)
        if self.lost:
            raise StoreUnavailable("gone")
        return super().is_forgotten(users)

    @override
    def vectors(self, meta, users):
        if self.strange & set(users):
            raise SpaceMismatch("written by model 00000000")
        return super().vectors(meta, users)


@pytest.fixture
def store():
    return Breakable()


@pytest.fixture
def meta(store):
    return world.publish(store)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def lookup(store, metrics, clock):
    lookup = Lookup(store, metrics, patience_seconds=60, clock=lambda: clock[0])
    yield lookup
    lookup.close()


def test_known_readers_have_vectors_and_clicks(lookup, meta):
    known = lookup.readers(meta, ["ann", "cem", "eve"])
    assert set(known.vectors) == {"ann", "cem"}
    assert known.histories == {"ann": ["N0", "N1", "N2"]}
    assert not known.withheld


def test_nobody_costs_no_look_up(lookup, meta, store):
    lookup.readers(meta, [])
    assert store.asked == 0


def test_erased_readers_are_withheld(lookup, meta, store):
    store.forget("ann")
    known = lookup.readers(meta, ["ann", "bob"])
    assert known.withheld == {"ann"}
    assert set(known.vectors) == {"bob"}


def test_everyone_is_withheld_while_the_store_is_lost(lookup, meta, store, metrics):
    store.lost = True
    assert lookup.readers(meta, ["ann", "bob"]).withheld == {"ann", "bob"}
    counted = metrics.registry.get_sample_value(
        "recsys_store_failures_total", {"reason": "unavailable"}
    )
    assert counted == 1


def test_a_lost_store_is_left_alone_for_a_while_and_then_asked_again(lookup, meta, store, clock):
    store.lost = True
    lookup.readers(meta, ["ann"])
    store.lost = False
    assert lookup.readers(meta, ["ann"]).withheld == {"ann"}
    assert store.asked == 1
    clock[0] += module.RETRY_SECONDS
    assert "ann" in lookup.readers(meta, ["ann"]).vectors


def test_a_store_that_hangs_does_not_hold_the_batch(meta, store, metrics, caplog):
    lookup = Lookup(store, metrics, patience_seconds=0.05)
    store.hangs = threading.Event()
    assert lookup.readers(meta, ["ann"]).withheld == {"ann"}
    assert not store.hangs.is_set()  # it hangs still
    assert caplog.messages == ["store lost, ranking without it: no answer in time"]
    store.hangs.set()
    lookup.close()


def test_a_strange_vector_is_refused_and_the_others_are_used(lookup, meta, store):
    store.strange = frozenset({"bob"})
    known = lookup.readers(meta, ["ann", "bob", "cem"])
    assert set(known.vectors) == {"ann", "cem"}
    assert "bob" in known.histories
    assert not known.withheld
