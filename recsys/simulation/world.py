"""The world before anybody has clicked: readers, news, and what each would like."""

from dataclasses import dataclass

import numpy as np

from recsys.errors import ConfigError
from recsys.simulation import newsroom, readers
from recsys.simulation.config import WorldConfig
from recsys.simulation.newsroom import LIFE_HOURS, News
from recsys.simulation.readers import Readers
from recsys.simulation.taste import Axes
from recsys.simulation.titles import Lexicon

CHOICE = 2
"""Live news at any hour, at least, for each place of a slate."""


@dataclass(frozen=True, eq=False)
class World:
    """Who and what there is. Its log is drawn by :func:`recsys.simulation.log.simulate`."""

    config: WorldConfig
    lexicon: Lexicon
    readers: Readers
    news: News


def draw(config: WorldConfig, rng: np.random.Generator) -> World:
    """Draw a world.

    Raises:
        ConfigError: There are too few news to fill the slates of every hour.
    """
    lexicon = Lexicon.load()
    axes = Axes.of(lexicon)
    for_news, for_readers = rng.spawn(2)
    news = newsroom.publish(config, lexicon, axes, for_news)
    _require_choice(config, news)
    return World(config, lexicon, readers.draw(config, axes, for_readers), news)


def _require_choice(config: WorldConfig, news: News) -> None:
    """Refuse a world in which some hour has too few live news."""
    fewest = min(len(news.live(hour)) for hour in range(config.hours))
    if fewest < CHOICE * config.slate:
        enough = CHOICE * config.slate * (config.hours / LIFE_HOURS[0] + 1)
        raise ConfigError(
            f"news: {config.news} leave {fewest} alive in some hour, too few for slates of "
            f"{config.slate}; expected about {1.2 * enough:.0f} or more for {config.days} days"
        )
