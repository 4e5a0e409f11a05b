import numpy as np
import pytest

from recsys.simulation import world
from recsys.simulation.config import WorldConfig
from recsys.simulation.log import Log


@pytest.fixture(scope="session")
def simulate():
    """A function that draws a world and its whole log."""

    def draw(**settings):
        config = WorldConfig(**settings)
        for_world, for_log = np.random.default_rng(config.seed).spawn(2)
        drawn = world.draw(config, for_world)
        log = Log(drawn, for_log)
        return drawn, log, [block for hour in log.hours() for block in hour]

    return draw


@pytest.fixture(scope="session")
def small(simulate):
    """A world small enough for every test that needs no particular one."""
    return simulate(readers=1_500, news=400, days=3, seed=3)
