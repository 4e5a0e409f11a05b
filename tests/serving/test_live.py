import asyncio

import pytest

from recsys.errors import CheckpointError, StoreUnavailable, VersionNotFound
from recsys.ranker.ranker import RankerConfig
from recsys.serving import live as module
from recsys.serving.live import LiveModel
from recsys.serving.loading import load
from recsys.serving.metrics import Metrics
from recsys.store.memory import MemoryStore
from tests.serving import world


def build(store, meta):
    return load(store, meta, device="cpu", config=RankerConfig())


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def metrics():
    return Metrics()


def swaps(metrics, outcome):
    return metrics.registry.get_sample_value("recsys_swaps_total", {"outcome": outcome}) or 0


def test_an_empty_store_gives_no_model(store, metrics):
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    assert live.model is None
    assert live.store_answers


def test_the_live_version_is_loaded_once(store, metrics):
    meta = world.publish(store)
    live = LiveModel(store, build, metrics)

    async def look_twice():
        await live.refresh()
        first = await live.loaded()
        await live.refresh()
        return first

    assert asyncio.run(look_twice()) is live.model
    assert live.model.meta == meta
    assert swaps(metrics, "done") == 1


def test_a_newer_version_takes_over(store, metrics):
    live = LiveModel(store, build, metrics)
    world.publish(store, seed=0)
    asyncio.run(live.refresh())
    second = world.publish(store, seed=1, day=2)
    asyncio.run(live.refresh())
    assert live.model.meta == second
    info = {"version": second.version, "space": second.space, "audit_verdict": "pass"}
    assert metrics.registry.get_sample_value("recsys_live_version_info", info) == 1


def test_following_finds_a_version_published_later(store, metrics):
    live = LiveModel(store, build, metrics)

    async def scene():
        following = asyncio.create_task(live.follow(0.01))
        await asyncio.sleep(0.05)
        world.publish(store)
        async with asyncio.timeout(60):
            await live.loaded()
        following.cancel()

    asyncio.run(scene())


def test_a_version_that_cannot_be_loaded_leaves_the_old_one(store, metrics, caplog):
    first = world.publish(store, seed=0)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    broken = world.publish(store, seed=1, day=2, encoder=b"not an encoder")
    asyncio.run(live.refresh())
    assert live.model.meta == first
    assert swaps(metrics, "failed") == 1
    assert f"{broken.version} cannot be loaded" in caplog.text
    assert f"{first.version} stays" in caplog.text


def test_a_broken_version_is_not_loaded_again_and_again(store, metrics, monkeypatch):
    world.publish(store, encoder=b"not an encoder")
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    asyncio.run(live.refresh())
    assert swaps(metrics, "failed") == 1
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)
    asyncio.run(live.refresh())
    assert swaps(metrics, "failed") == 2


def test_activating_loads_first_and_moves_the_pointer_then(store, metrics):
    old = world.publish(store, seed=0)
    world.publish(store, seed=1, day=2)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    model = asyncio.run(live.activate(old.version))
    assert model.meta == live.model.meta == old
    assert store.live() == old.version


def test_activating_what_answers_already_is_no_swap(store, metrics):
    meta = world.publish(store)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    asyncio.run(live.activate(meta.version))
    assert swaps(metrics, "done") == 1


def test_activating_an_unknown_version_changes_nothing(store, metrics):
    meta = world.publish(store)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    with pytest.raises(VersionNotFound):
        asyncio.run(live.activate("20990101T000000-00000000"))
    assert live.model.meta == meta
    assert store.live() == meta.version


def test_activating_a_broken_version_changes_nothing(store, metrics):
    meta = world.publish(store)
    broken = world.publish(store, seed=1, day=2, encoder=b"not an encoder", activate=False)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    with pytest.raises(CheckpointError):
        asyncio.run(live.activate(broken.version))
    assert live.model.meta == meta
    assert store.live() == meta.version


def test_a_lost_store_leaves_the_model_and_is_remembered(store, metrics, caplog):
    class Lost(MemoryStore):
        def live(self):
            raise StoreUnavailable("connection refused")

    meta = world.publish(store)
    live = LiveModel(store, build, metrics)
    asyncio.run(live.refresh())
    live._store = Lost()
    asyncio.run(live.refresh())
    asyncio.run(live.refresh())
    assert live.model.meta == meta
    assert not live.store_answers
    assert caplog.text.count("store lost") == 1
