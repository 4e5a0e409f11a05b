"""Headlines from a small grammar: the words of a title tell its topic, section and tone.

The words are in ``lexicon.toml``; this module knows how to join them into sentences.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Section:
    """A subcategory: its topic, the phrases that fill its templates, and who does what."""

    name: str
    topic: int
    phrases: dict[str, list[str]]
    scenes: list[list[list[str]]]
    """Each: subjects in the singular, subjects in the plural, and what they may do."""


@dataclass(frozen=True)
class Lexicon:
    """Everything that can be said, by tone and section."""

    topics: list[str]
    sections: list[Section]
    tones: dict[str, list[str]]
    abstracts: list[str]
    providers: dict[str, list[str]]
    """From the largest to the smallest, with the topics each is known for."""

    @classmethod
    def load(cls) -> "Lexicon":
        """Read the lexicon that comes with the package."""
        text = files("recsys.simulation").joinpath("lexicon.toml").read_text(encoding="utf-8")
        tree = tomllib.loads(text)
        shared = dict(tree["shared"])
        abstracts = shared.pop("abstract")
        sections = [
            _section(name, index, shared | topic | section)
            for index, topic in enumerate(tree["topics"].values())
            for name, section in topic["sections"].items()
        ]
        return cls(list(tree["topics"]), sections, tree["tones"], abstracts, tree["providers"])

    def title(self, section: int, tone: int, rng: np.random.Generator) -> str:
        """Return a headline of a section in a tone, both as indexes into this lexicon."""
        templates = list(self.tones.values())[tone]
        return _fill(_pick(templates, rng), self.sections[section], rng)

    def abstract(self, section: int, rng: np.random.Generator) -> str:
        """Return one or two sentences of a section."""
        return _fill(_pick(self.abstracts, rng), self.sections[section], rng)


def _section(name: str, topic: int, words: dict[str, Any]) -> Section:
    """Gather the words of a section from its own, its topic's and the shared ones."""
    phrases = {
        slot: words[slot] for slot in ("what", "advice", "people", "tail", "quote", "number")
    }
    single = {slot: [words[slot]] for slot in ("field", "crowd")}
    return Section(name, topic, phrases | single, words["scenes"])


def _fill(template: str, section: Section, rng: np.random.Generator) -> str:
    slots = _SLOT.findall(template)
    words = {slot: _pick(section.phrases[slot], rng) for slot in slots if slot in section.phrases}
    percent = int(rng.integers(51, 90))
    who, does = _scene(section, rng)
    text = template.format(**words, percent=percent, rest=100 - percent, who=who, does=does)
    return re.sub(r"(^'?|[.!?] )([a-z])", lambda start: start[1] + start[2].upper(), text)


def _scene(section: Section, rng: np.random.Generator) -> tuple[str, str]:
    """Choose who does what."""
    singular, plurals, actions = _pick(section.scenes, rng)
    does = _pick(actions, rng)
    who = _pick([*singular, *plurals], rng)
    return who, plural(does) if who in plurals else does


def plural(does: str) -> str:
    """Put a verb phrase from the third person singular into the plural.

    ``"misses its train"`` becomes ``"miss their train"``.
    """
    verb, space, rest = does.partition(" ")
    if verb.endswith("ies") and len(verb) > 4:
        verb = verb[:-3] + "y"
    elif verb.endswith(("sses", "shes", "ches", "xes", "oes")):
        verb = verb[:-2]
    else:
        verb = verb.removesuffix("s")
    return verb + space + re.sub(r"\bits\b", "their", rest)


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.integers(len(options)))]
