import pytest

from tests.training.ratings.chosen import fold


@pytest.fixture(scope="session")
def honest():
    return fold()


@pytest.fixture(scope="session")
def poisoned():
    return fold(poison=True)
