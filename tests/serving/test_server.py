import asyncio
import os
import queue
import signal
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recsys.client import AsyncRankerClient, RankerClient, Request
from recsys.errors import AddressInUse, ConfigError, Overloaded, ServingError
from recsys.serving.server import FEEDBACK, MODEL, RANKING, run
from recsys.serving.settings import ServeSettings
from recsys.store.connect import open_store
from tests.serving import world
from tests.serving.world import best, clicked

SERVING, NOT_SERVING = (
    health_pb2.HealthCheckResponse.SERVING,
    health_pb2.HealthCheckResponse.NOT_SERVING,
)


def health(server, service):
    with grpc.insecure_channel(server.address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=60).status


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_without_a_version_is_alive_and_not_ready_until_one_is_published(store):
    with world.serving(store) as server:
        assert health(server, "") == SERVING
        assert health(server, RANKING) == NOT_SERVING
        assert health(server, MODEL) == health(server, FEEDBACK) == SERVING
        world.publish(store)
        eventually(lambda: health(server, RANKING) == SERVING)


def test_where_to_publish_is_said_without_the_password(store):
    said = []

    def announce(line):
        said.append(line)
        signal.raise_signal(signal.SIGTERM)

    settings = ServeSettings.read(redis="redis://:s3cret@host/0", port=0, device="cpu", threads=1)
    run(settings, store, announce)
    assert said[0].endswith("recsys publish RUN --redis redis://***@host/0")


def test_reflection_lists_the_services(server):
    with grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (reply,) = stub.ServerReflectionInfo(asked, timeout=60)
    names = {service.name for service in reply.list_services_response.service}
    assert {RANKING, FEEDBACK, MODEL, "grpc.health.v1.Health"} <= names


def test_a_taken_port_is_named(published):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = rf"127\.0\.0\.1:{port}.*in use"
        with pytest.raises(AddressInUse, match=message), world.serving(published, port=port):
            pass


def test_a_second_server_cannot_take_the_port_of_the_first(published, server):
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(AddressInUse), world.serving(published, port=port):
        pass


def test_servers_may_share_a_port_when_told_to(published):
    with world.serving(published, reuse_port=True) as first:
        port = int(first.address.rpartition(":")[2])
        with world.serving(published, reuse_port=True, port=port) as second:
            assert second.address == first.address


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_a_gpu_that_is_not_there_is_an_error(published):
    with pytest.raises(ConfigError, match="device"), world.serving(published, device="cuda:7"):
        pass


def test_metrics_tell_of_requests_rungs_and_the_version(published):
    with (
        world.serving(published, metrics_port=0) as server,
        RankerClient(server.address, timeout_s=60) as client,
    ):
        version = client.rank("ann").model_version
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics").read()
    lines = page.decode().splitlines()
    assert 'recsys_requests_total{code="OK",method="Rank"} 1.0' in lines
    assert 'recsys_rungs_total{rung="cached"} 1.0' in lines
    assert any(line.startswith("recsys_live_version_info") and version in line for line in lines)
    assert any('kind="category"' in line for line in lines)
    assert "ann" not in page.decode()


def test_no_answer_fails_or_mixes_versions_while_they_are_swapped(published, server):
    """Every answer is the ranking of the version that it names, through publish and rollback."""
    metas = [server.live.model.meta] + [
        world.publish(published, seed=seed, day=seed + 1, activate=False) for seed in (1, 2)
    ]
    expected = {
        (meta.version, user): (tuple(best(seed, user, hidden=clicked(user))[:8]), "cached")
        for seed, meta in enumerate(metas)
        for user in world.READERS
    }
    stop = threading.Event()

    def ask():
        batches = []
        with RankerClient(server.address, timeout_s=60) as client:
            while not stop.is_set():
                batches.append(client.rank_batch([Request(user, k=8) for user in world.READERS]))
        return batches

    with ThreadPoolExecutor() as pool, RankerClient(server.address, timeout_s=60) as client:
        callers = [pool.submit(ask) for _ in range(3)]
        for meta in (metas[1], metas[2], metas[0], metas[2]):
            client.activate(meta.version)
            time.sleep(0.05)
        published.activate(metas[1].version)  # as another process would
        eventually(lambda: client.model().version == metas[1].version)
        time.sleep(0.05)
        stop.set()
        batches = [batch for caller in callers for batch in caller.result()]
    assert all(len({ranking.model_version for ranking in batch}) == 1 for batch in batches)
    assert {batch[0].model_version for batch in batches} == {meta.version for meta in metas}
    for batch in batches:
        for user, ranking in zip(world.READERS, batch, strict=True):
            answer = (ranking.news_ids, ranking.rung)
            assert answer == expected[ranking.model_version, user]


def test_a_request_whose_caller_has_gone_is_not_computed(published):
    with world.serving(published, max_batch=1) as server:
        release = hold(server)

        async def scene():
            async with AsyncRankerClient(server.address, timeout_s=60) as client:
                first = asyncio.create_task(client.rank("ann"))
                await until_held(release)
                async with AsyncRankerClient(server.address, timeout_s=0.2) as hasty:
                    with pytest.raises(ServingError, match="Deadline"):
                        await hasty.rank("bob")
                await asyncio.sleep(0.1)
                release.go.set()
                await first

        asyncio.run(scene())
        assert sum(release.sizes) == 1


def test_a_full_queue_sheds_load(published):
    with world.serving(published, max_batch=1, max_queue=2) as server:
        release = hold(server)

        async def scene():
            async with AsyncRankerClient(server.address, timeout_s=60) as client:
                calls = [asyncio.create_task(client.rank("ann"))]
                await until_held(release)
                calls += [asyncio.create_task(client.rank("ann")) for _ in range(5)]
                while sum(call.done() for call in calls) < 3:
                    await asyncio.sleep(0.01)
                release.go.set()
                return await asyncio.gather(*calls, return_exceptions=True)

        answers = asyncio.run(scene())
    shed = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(shed) == 3
    assert all(isinstance(error, Overloaded) for error in shed)


def test_stopping_lets_a_call_in_flight_finish(published):
    answers = []
    with world.serving(published, grace_seconds=60) as server:
        release = hold(server)

        def ask():
            with RankerClient(server.address, timeout_s=60) as client:
                answers.append(client.rank("ann"))

        caller = threading.Thread(target=ask)
        caller.start()
        eventually(lambda: release.sizes)
        threading.Timer(0.3, release.go.set).start()
    caller.join()
    assert answers[0].rung == "cached"


def test_balancers_that_watch_are_told_of_the_stop_while_calls_still_finish(published):
    told = queue.Queue()

    def watch(address):
        with grpc.insecure_channel(address) as channel, suppress(grpc.RpcError):
            request = health_pb2.HealthCheckRequest(service=RANKING)
            for reply in health_pb2_grpc.HealthStub(channel).Watch(request):
                told.put(reply.status)

    with world.serving(published, grace_seconds=0.2) as server:
        watcher = threading.Thread(target=watch, args=[server.address])
        watcher.start()
        assert told.get(timeout=60) == SERVING
    watcher.join()
    assert told.get_nowait() == NOT_SERVING


class Hold:
    """Holds the ranker of a server until it is let go."""

    def __init__(self):
        self.go, self.sizes = threading.Event(), []


def hold(server):
    """Make the next batches wait; the ranker still does all the work."""
    release, ranker = Hold(), server.live.model.ranker
    rank = ranker.rank

    def wait_and_rank(queries, rng):
        release.sizes.append(len(queries))
        release.go.wait(60)
        return rank(queries, rng)

    object.__setattr__(ranker, "rank", wait_and_rank)
    return release


async def until_held(release):
    while not release.sizes:
        await asyncio.sleep(0.01)


def test_a_lost_store_leaves_popular_news_and_its_return_is_noticed(tmp_path):
    """Redis is killed under a running server, and started again."""
    port = world.free_port()
    with world.redis_process(tmp_path, port):
        store = open_store(f"redis://127.0.0.1:{port}/0")
        world.publish(store)
        serving = world.serving(store)
        server = serving.__enter__()
        client = RankerClient(server.address, timeout_s=60)
        assert client.rank("ann").rung == "cached"
    try:
        assert client.rank("ann").rung == "popular"
        assert client.rank("").rung == "popular"
        assert client.rank("", history_ids=["N3"]).rung == "session"
        for call in (client.versions, lambda: client.forget("ann")):
            with pytest.raises(ServingError):
                call()
        eventually(lambda: health(server, FEEDBACK) == NOT_SERVING)
        assert health(server, RANKING) == SERVING
        with world.redis_process(tmp_path, port):
            eventually(lambda: client.rank("ann").rung == "cached")
            eventually(lambda: health(server, FEEDBACK) == SERVING)
    finally:
        client.close()
        serving.__exit__(None, None, None)
        store.close()


def test_stopping_waits_for_a_store_that_hangs_no_longer_than_the_store_may(tmp_path):
    port, said = world.free_port(), []
    with world.redis_process(tmp_path, port) as redis:
        url = f"redis://127.0.0.1:{port}/0"
        store = open_store(url, timeout_seconds=0.5)
        world.publish(store)

        def announce(line):
            said.append((line, time.monotonic()))
            if line.startswith("ready"):
                redis.send_signal(signal.SIGSTOP)
                threading.Timer(0.3, signal.raise_signal, [signal.SIGTERM]).start()

        settings = ServeSettings.read(redis=url, port=0, device="cpu", threads=1, poll_seconds=0.05)
        run(settings, store, announce)
        _, (stopping, since) = said
    assert stopping.startswith("stopping")
    assert time.monotonic() - since < 10  # it takes 30 by default
    store.close()


def test_an_embedded_store_that_is_killed_returns_by_itself(tmp_path):
    store = open_store(f"embedded://{tmp_path}/store")
    world.publish(store)
    with world.serving(store) as server, RankerClient(server.address, timeout_s=60) as client:
        shown = client.rank("ann")
        with socket.socket(socket.AF_UNIX) as line:
            line.connect((tmp_path / "store" / "socket").read_text())
            os.kill(store._redis.info("server")["process_id"], signal.SIGKILL)
            assert line.recv(1) == b""  # it has gone
        eventually(lambda: client.rank("ann").rung == "cached")
        assert client.report(shown.impressions("ann")) == len(shown.news_ids)
    store.close()
