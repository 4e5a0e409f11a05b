import pytest

from recsys.store.memory import MemoryStore
from tests.serving import world


@pytest.fixture(scope="module")
def server():
    """A service with one version, made from seed 0, for the tests of a module."""
    store = MemoryStore()
    world.publish(store, seed=0)
    with world.serving(store) as server:
        yield server
