import pytest

from recsys.store.memory import MemoryStore
from tests.store.contract import LIMITS, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore(LIMITS)
