import itertools

import pytest
from redis import Redis

from recsys.store.embedded import EmbeddedServer

PREFIXES = (f"test-{number}[^*?]:" for number in itertools.count())
"""A namespace for each test, of characters that would match others' keys if not escaped."""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real redis-server for all tests of this folder."""
    server = EmbeddedServer(str(tmp_path_factory.mktemp("redis")))
    yield server
    server.close()


@pytest.fixture
def prefix():
    return next(PREFIXES)


@pytest.fixture
def client(server):
    """A bare client, to look behind the store."""
    with Redis(unix_socket_path=str(server.socket)) as client:
        yield client
