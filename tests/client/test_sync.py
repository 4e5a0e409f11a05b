import socket
import subprocess
import sys
import threading
import time

import pytest

from recsys.client import Filter, RankerClient
from recsys.errors import InvalidRequest, ServingError, VersionNotFound
from recsys.store.memory import MemoryStore
from tests.serving import world

NOBODY = "127.0.0.1:1"


@pytest.fixture
def client(server):
    with RankerClient(server.address, timeout_s=60) as client:
        yield client


def test_an_answer_is_a_plain_value(client):
    ranking = client.rank("ann", k=3)
    assert len(ranking.news_ids) == len(ranking.scores) == len(ranking.propensities) == 3
    assert ranking.rung == "cached"


def test_a_filter_is_applied(client):
    ranking = client.rank("", k=40, filter=Filter(categories=["arts"]))
    assert set(ranking.news_ids) == {f"N{row}" for row in range(2, 40, 4)}


def test_errors_are_ours_and_name_what_is_wrong(client):
    with pytest.raises(InvalidRequest, match="k: expected 1 to 1000"):
        client.rank("ann", k=1_001)
    with pytest.raises(VersionNotFound, match="v9"):
        client.activate("v9")


def test_a_request_that_is_too_large_is_not_to_be_tried_again(client):
    with pytest.raises(InvalidRequest, match=r"^request: .*larger than max"):
        client.rank("ann", candidate_ids=["x" * 200] * 6_000)


def test_nobody_there_is_one_line_with_the_target():
    with RankerClient(NOBODY) as client, pytest.raises(ServingError) as caught:
        client.rank("ann")
    assert str(caught.value) == f"no answer from {NOBODY}: Connection refused"


def test_waiting_ends_when_a_version_is_there():
    store = MemoryStore()
    with world.serving(store) as server, RankerClient(server.address, timeout_s=60) as client:
        publishing = threading.Timer(0.3, world.publish, [store])
        publishing.start()
        client.wait_ready(60)
        assert client.rank("ann").rung == "cached"
        publishing.join()


@pytest.fixture
def silent():
    """The address of a service that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield "{}:{}".format(*listening.getsockname())


@pytest.mark.parametrize("somebody", [True, False])
def test_waiting_gives_up_in_time(somebody, silent):
    start = time.monotonic()
    with (
        RankerClient(silent if somebody else NOBODY, timeout_s=60) as client,
        pytest.raises(ServingError, match=r"not ready after 0\.3 s"),
    ):
        client.wait_ready(0.3)
    assert time.monotonic() - start < 5


def test_a_service_that_restarts_between_two_calls_is_found_again():
    store = MemoryStore()
    world.publish(store)
    with world.serving(store) as server:
        port = int(server.address.rpartition(":")[2])
        client = RankerClient(server.address, timeout_s=60)
        client.rank("ann")
    with world.serving(store, port=port), client:
        assert client.rank("ann").rung == "cached"


def test_the_client_needs_neither_numpy_nor_torch():
    script = "import sys, recsys.client; print({'numpy', 'torch', 'redis'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr
