from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[1] / "../shared/data"


@pytest.fixture(scope="session")
def shared_data():
    """The real data sets beside the project."""
    if not SHARED_DATA.exists():
        pytest.skip(f"no data sets at {SHARED_DATA}")
    return SHARED_DATA
