"""Lets readers and news meet, hour by hour: slates, places, clicks, and the truth behind them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.simulation import clicks, policy
from recsys.simulation.policy import LeftOut
from recsys.simulation.world import World

HEAT_HALF_LIFE_HOURS = 12.0
"""Of a click's effect on popularity."""
NOVELTY_HALF_LIFE_HOURS = 12.0
"""Of the head start that a new news gets."""
INCLUSION_DRAWS = 1024
"""Slates drawn, at least, to compute inclusion: a relative error of about 1 % at 10 places."""
MAX_CELLS = 1 << 23
"""Slates times live news drawn at once: bounds the memory."""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, eq=False)
class Slates:
    """Slates of a short while, in order of time, with what was true of them."""

    first_id: int
    readers: Int[np.ndarray, " slates"]
    times: Int[np.ndarray, " slates"]
    """Microseconds from the start of the log."""
    news: Int[np.ndarray, "slates places"]
    clicked: Bool[np.ndarray, "slates places"]
    propensity: Float[np.ndarray, "slates places"]
    relevance: Float[np.ndarray, "slates places"]
    inclusion: Float[np.ndarray, "slates places"]


class Log:
    """The log in the making; its popularity feeds on its own clicks.

    Args:
        world: Who and what there is.
        rng: Source of slates and clicks.
    """

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        self._for_slates, self._for_clicks, self._for_inclusion = rng.spawn(3)
        config = world.config
        self._examination = clicks.examination(config.slate, config.position_bias)
        self._heat = np.zeros(config.news)
        self._clicked = np.empty((0, 2), np.int64)  # pairs of reader and live news
        self._num_slates = 0
        self.inclusion = np.zeros((config.hours, config.news), np.float32)
        """Probability of each news to be in a slate of each hour; 0 when not alive.

        On average over the readers who come in that hour, as if they had not clicked it yet.
        """

    def hours(self) -> Iterator[list[Slates]]:
        """Draw the log; each step is an hour, in one or more blocks of bounded size."""
        for hour in range(self._world.config.hours):
            yield self._hour(hour)

    def _hour(self, hour: int) -> list[Slates]:
        config, news = self._world.config, self._world.news
        live = news.live(hour)
        weights = policy.weights(
            self._attraction(hour, live), config.exposure_bias, config.exploration
        )
        visitors = self._for_slates.permutation(np.flatnonzero(self._world.readers.visits[hour]))
        self.inclusion[hour, live] = self._inclusion(visitors[:INCLUSION_DRAWS], live, weights)
        times = hour * _HOUR_US + np.sort(self._for_slates.integers(_HOUR_US, size=len(visitors)))
        step = max(1, MAX_CELLS // len(live))
        blocks = [
            self._meet(visitors[at : at + step], times[at : at + step], live, weights, hour)
            for at in range(0, len(visitors), step)
        ]
        self._remember(blocks, hour)
        return blocks

    def _attraction(self, hour: int, live: Int[np.ndarray, " live"]) -> Float[np.ndarray, " live"]:
        """Root of the recent clicks, to which the new add about as many as the others have.

        The root keeps popularity that feeds on itself from ending with one news that has it all.
        """
        news, heat = self._world.news, self._heat[live]
        novelty = 0.5 ** ((hour - news.born[live]) / NOVELTY_HALF_LIFE_HOURS)
        return np.sqrt(heat + (1 + heat.mean()) * novelty * news.prominence[live])

    def _meet(
        self,
        visitors: Int[np.ndarray, " slates"],
        times: Int[np.ndarray, " slates"],
        live: Int[np.ndarray, " live"],
        weights: Float[np.ndarray, " live"],
        hour: int,
    ) -> Slates:
        """Show one slate to each visitor and see what they click."""
        config, readers, news = self._world.config, self._world.readers, self._world.news
        columns, propensity = policy.draw(
            weights,
            self._left_out(visitors, live),
            slates=len(visitors),
            places=config.slate,
            rng=self._for_slates,
        )
        shown = live[columns]
        interest = np.einsum("sd,spd->sp", readers.tastes[visitors], news.points[shown])
        relevance = clicks.relevance(news.appeal[shown] + interest, config.noise)
        chance = self._for_clicks.random(shown.shape)
        first_id, self._num_slates = self._num_slates, self._num_slates + len(visitors)
        return Slates(
            first_id,
            visitors,
            times,
            shown,
            chance < self._examination * relevance,
            propensity,
            relevance,
            self.inclusion[hour, shown],
        )

    def _inclusion(
        self,
        visitors: Int[np.ndarray, " slates"],
        live: Int[np.ndarray, " live"],
        weights: Float[np.ndarray, " live"],
    ) -> Float[np.ndarray, " live"]:
        """Compute inclusion from as many draws for each visitor as it takes."""
        count = len(visitors)
        times = -(-INCLUSION_DRAWS // max(count, 1))
        return policy.inclusion(
            weights,
            self._left_out(visitors, live).repeated(count, times),
            draws=max(count, 1) * times,
            places=self._world.config.slate,
            rng=self._for_inclusion,
        )

    def _left_out(
        self, visitors: Int[np.ndarray, " slates"], live: Int[np.ndarray, " live"]
    ) -> LeftOut:
        """Find what visitors have clicked, unless that leaves them too little to be shown."""
        row_of = np.full(self._world.config.readers, -1)
        row_of[visitors] = np.arange(len(visitors))
        visiting = self._clicked[row_of[self._clicked[:, 0]] >= 0]
        rows = row_of[visiting[:, 0]]
        columns = np.searchsorted(live, visiting[:, 1])
        count = np.bincount(rows, minlength=len(visitors))
        kept = count[rows] < len(live) - self._world.config.slate
        return LeftOut(rows[kept], columns[kept])

    def _remember(self, blocks: list[Slates], hour: int) -> None:
        """Update popularity, and forget clicks on what will be dead in the next hour."""
        self._heat *= 0.5 ** (1 / HEAT_HALF_LIFE_HOURS)
        pairs = [self._clicked]
        for block in blocks:
            slates, places = np.nonzero(block.clicked)
            pairs.append(np.stack([block.readers[slates], block.news[slates, places]], axis=1))
            np.add.at(self._heat, pairs[-1][:, 1], 1)
        # Once each: who runs out of unclicked news is shown, and may click, the same again.
        clicked = np.unique(np.concatenate(pairs), axis=0)
        alive = self._world.news.dies >= hour + 2
        self._clicked = clicked[alive[clicked[:, 1]]]
