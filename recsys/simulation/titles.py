"""Headlines from a small grammar: the words of a title tell its topic, section and tone.

The words are in ``lexicon.toml``; this module knows how to join them into sentences.
"""

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Section:
    """A subcategory: its place in the lexicon and the phrases that fill its templates."""

    name: str
    topic: int
    phrases: dict[str, list[str]]


@dataclass(frozen=True)
class Lexicon:
    """Everything that can be said, by tone and section."""

    topics: list[str]
    sections: list[Section]
    tones: dict[str, list[str]]
    abstracts: list[str]
    providers: list[str]

    @classmethod
    def load(cls) -> "Lexicon":
        """Read the lexicon that comes with the package."""
        text = files("recsys.simulation").joinpath("lexicon.toml").read_text(encoding="utf-8")
        tree = tomllib.loads(text)
        shared = dict(tree["shared"])
        abstracts = shared.pop("abstract")
        sections = [
            Section(name, index, shared | _phrases(topic) | _phrases(section))
            for index, topic in enumerate(tree["topics"].values())
            for name, section in topic["sections"].items()
        ]
        return cls(
            list(tree["topics"]), sections, tree["tones"], abstracts, tree["providers"]["names"]
        )

    def title(self, section: int, tone: int, rng: np.random.Generator) -> str:
        """Return a headline of a section in a tone, both as indexes into this lexicon."""
        templates = list(self.tones.values())[tone]
        return _fill(_pick(templates, rng), self.sections[section].phrases, rng)

    def abstract(self, section: int, rng: np.random.Generator) -> str:
        """Return one or two sentences of a section."""
        return _fill(_pick(self.abstracts, rng), self.sections[section].phrases, rng)


def _phrases(table: dict[str, Any]) -> dict[str, list[str]]:
    """Take the phrases of a topic or section; a single one is a list of one."""
    own = {key: value for key, value in table.items() if key != "sections"}
    return {key: value if isinstance(value, list) else [value] for key, value in own.items()}


def _fill(template: str, phrases: dict[str, list[str]], rng: np.random.Generator) -> str:
    percent = int(rng.integers(51, 90))
    words = {"percent": str(percent), "rest": str(100 - percent)}
    words |= {
        slot: _pick(phrases[slot], rng) for slot in _SLOT.findall(template) if slot in phrases
    }
    if "who" in words:
        words["who"], words["does"] = _sentence(phrases, rng)
    text = template.format(**words)
    return re.sub(r"(^'?|[.!?] )([a-z])", lambda start: start[1] + start[2].upper(), text)


def _sentence(phrases: dict[str, list[str]], rng: np.random.Generator) -> tuple[str, str]:
    """Choose who does what; the lexicon has verbs in the singular."""
    one, many = phrases["who"], phrases["they"]
    chosen = int(rng.integers(len(one) + len(many)))
    does = _pick(phrases["does"], rng)
    return (one[chosen], does) if chosen < len(one) else (many[chosen - len(one)], plural(does))


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


def _pick(options: list[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
