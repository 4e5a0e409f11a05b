import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.simulation import world
from recsys.simulation.config import WorldConfig


def test_a_world_with_too_few_news_for_its_slates_is_refused():
    with pytest.raises(ConfigError, match=r"news: 40 leave \d+ alive .* expected about \d+"):
        world.draw(WorldConfig(news=40), np.random.default_rng(0))


def test_as_many_news_as_the_message_asks_for_are_enough():
    with pytest.raises(ConfigError) as error:
        world.draw(WorldConfig(news=40), np.random.default_rng(0))
    enough = int(str(error.value).split("about ")[1].split()[0])
    assert world.draw(WorldConfig(news=enough), np.random.default_rng(0)).config.news == enough
