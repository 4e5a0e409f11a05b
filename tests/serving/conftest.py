import itertools

import pytest

from recsys.client import RankerClient
from recsys.store.connect import open_store
from tests.serving import world

PREFIXES = itertools.count()


@pytest.fixture(scope="session")
def redis_folder(tmp_path_factory):
    """A folder whose embedded Redis runs for the whole session."""
    folder = tmp_path_factory.mktemp("redis")
    store = open_store(f"embedded://{folder}")
    yield folder
    store.close()


@pytest.fixture
def store(redis_folder):
    """An empty store: a prefix of its own in the session's Redis."""
    store = open_store(f"embedded://{redis_folder}", prefix=f"t{next(PREFIXES)}:")
    yield store
    store.close()


@pytest.fixture
def published(store):
    """A store with one version, made from seed 0."""
    world.publish(store, seed=0)
    return store


@pytest.fixture
def server(published):
    with world.serving(published) as server:
        yield server


@pytest.fixture
def client(server):
    with RankerClient(server.address, timeout_s=60) as client:
        yield client


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A self-signed certificate for localhost, and its key."""
    return world.certificate(tmp_path_factory.mktemp("tls"))
