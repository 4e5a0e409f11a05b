"""News: what they are about, who publishes them, how good they are and how long they live."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from recsys.simulation.config import WorldConfig
from recsys.simulation.taste import Axes
from recsys.simulation.titles import Lexicon

LIFE_HOURS = (24, 48)
APPEAL = -1.5
"""Log-odds of a click, once examined, for a reader of no particular taste."""
QUALITY, REPUTATION = 0.45, 0.25
"""Standard deviations of the log-odds between news of a provider, and between providers."""
FLAIR, WHIM = 0.8, 1.2
"""How much the logarithm of the editors' head start follows quality, and how much nothing."""
REPORT_SHARE = 0.4
"""Share of plain reports; the other tones are equally frequent."""
ABSTRACT_SHARE = 0.7
TITLE_TRIES = 8
"""Attempts at a title that no other news has."""
SIZE_EXPONENT = 0.8
"""How fast providers get smaller from rank to rank."""
SPECIALIST, STRANGER = 6.0, 0.1
"""Share of a topic that a specialist has, at home and elsewhere, to a generalist of its size."""


@dataclass(frozen=True, eq=False)
class News:
    """Everything that is true of news, in order of publication."""

    ids: list[str]
    titles: list[str]
    abstracts: list[str | None]
    topics: Int[np.ndarray, " items"]
    sections: Int[np.ndarray, " items"]
    tones: Int[np.ndarray, " items"]
    providers: Int[np.ndarray, " items"]
    born: Float[np.ndarray, " items"]
    """Hours from the start of the log; negative for what was there already."""
    dies: Float[np.ndarray, " items"]
    """Hours from the start of the log; not shown in any later hour."""
    appeal: Float[np.ndarray, " items"]
    """Log-odds of a click, once examined, for a reader of no particular taste."""
    prominence: Float[np.ndarray, " items"]
    """Head start in popularity that the editors give, 1 in the middle."""
    points: Float[np.ndarray, "items dim"]
    """Place on the axes of taste."""

    def live(self, hour: int) -> Int[np.ndarray, " live"]:
        """Return the news that can be shown throughout an hour of the log, oldest first."""
        return np.flatnonzero((self.born <= hour) & (hour + 1 <= self.dies))


def publish(config: WorldConfig, lexicon: Lexicon, axes: Axes, rng: np.random.Generator) -> News:
    """Draw news that are published evenly over the log, the first of them a day before it."""
    count = config.news
    (for_words,) = rng.spawn(1)  # the wording of titles changes nothing else
    sections = rng.choice(axes.sections, count, p=rng.dirichlet(np.full(axes.sections, 8.0)))
    topics = np.array([section.topic for section in lexicon.sections])[sections]
    other = (1 - REPORT_SHARE) / (axes.tones - 1)
    tones = rng.choice(axes.tones, count, p=[REPORT_SHARE] + [other] * (axes.tones - 1))
    providers, reputation = _providers(lexicon, topics, rng)
    quality = rng.standard_normal(count)
    lead = LIFE_HOURS[0]
    last = config.hours - 1 + lead  # nothing is published in the last hour: nobody could see it
    born = (np.arange(count) + rng.random(count)) / count * last - lead
    return News(
        ids=[f"N{number:07d}" for number in range(count)],
        titles=_titles(lexicon, sections, tones, for_words),
        abstracts=_abstracts(lexicon, sections, for_words),
        topics=topics,
        sections=sections,
        tones=tones,
        providers=providers,
        born=born,
        dies=born + rng.uniform(*LIFE_HOURS, count),
        appeal=(APPEAL + reputation + QUALITY * quality).astype(np.float32),
        prominence=np.exp(FLAIR * quality + WHIM * rng.standard_normal(count)),
        points=axes.points(topics, sections, tones),
    )


def _providers(
    lexicon: Lexicon, topics: Int[np.ndarray, " items"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, " items"], Float[np.ndarray, " items"]]:
    """Choose who publishes each news, and return with it what the name is worth.

    Sizes fall as a power of the rank; specialists rarely leave their topics.
    """
    size = np.arange(1, len(lexicon.providers) + 1) ** -SIZE_EXPONENT
    focus = [
        [_focus(topic, known_for) for topic in lexicon.topics]
        for known_for in lexicon.providers.values()
    ]
    cumulative = np.cumsum(np.transpose(focus) * size, axis=1)
    cumulative /= cumulative[:, -1:]
    chosen = (rng.random((len(topics), 1)) > cumulative[topics]).sum(axis=1)
    return chosen, (REPUTATION * rng.standard_normal(len(size)))[chosen]


def _focus(topic: str, known_for: list[str]) -> float:
    if not known_for:
        return 1.0
    return SPECIALIST if topic in known_for else STRANGER


def _titles(
    lexicon: Lexicon,
    sections: Int[np.ndarray, " items"],
    tones: Int[np.ndarray, " items"],
    rng: np.random.Generator,
) -> list[str]:
    """Write titles; one that was used is tried again, a few times."""
    used: set[str] = set()
    titles = []
    for section, tone in zip(sections, tones, strict=True):
        tries = (lexicon.title(section, tone, rng) for _ in range(TITLE_TRIES))
        title = next((title for title in tries if title not in used), None)
        titles.append(title or lexicon.title(section, tone, rng))
        used.add(titles[-1])
    return titles


def _abstracts(
    lexicon: Lexicon, sections: Int[np.ndarray, " items"], rng: np.random.Generator
) -> list[str | None]:
    has_one = rng.random(len(sections)) < ABSTRACT_SHARE
    return [
        lexicon.abstract(section, rng) if wanted else None
        for section, wanted in zip(sections, has_one, strict=True)
    ]
