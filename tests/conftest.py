import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported, here and in the processes that tests start: threads that wait for each
# other on a busy machine turn milliseconds into seconds.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A test says what is right, not how fast a machine with other work is.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

SHARED_DATA = Path(__file__).parents[1] / "../shared/data"


@pytest.fixture(scope="session")
def shared_data():
    """The real data sets beside the project."""
    if not SHARED_DATA.exists():
        pytest.skip(f"no data sets at {SHARED_DATA}")
    return SHARED_DATA
