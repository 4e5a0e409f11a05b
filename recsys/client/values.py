"""What a client asks with and what it gets back: plain frozen values."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from recsys.errors import InvalidRequest

Values = Sequence[str]


def not_a_list(text: str) -> str:
    """Say what is wrong with a text where a list of texts is expected."""
    return f"expected a list, as [{text!r}], found {text!r}"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What may be shown; every condition that is set must hold."""

    categories: Values = ()
    """Empty: any."""
    providers: Values = ()
    """Empty: any."""
    published_after: datetime | None = None
    """With a time zone; news of this moment or later."""
    exclude_ids: Values = ()
    """Never show these."""
    show_seen: bool = False
    """Whether news the reader has clicked already may come again."""


@dataclass(frozen=True)
class Request:
    """What is asked for one reader."""

    user_id: str
    """Empty: anonymous."""
    k: int = 10
    history_ids: Values = ()
    """Clicks of this session, newest last."""
    candidate_ids: Values = ()
    """Empty: the whole catalogue."""
    filter: Filter = field(default_factory=Filter)
    request_id: str = ""
    """Shown in the service's log."""


@dataclass(frozen=True)
class Impression:
    """One news in one slate, to be reported."""

    slate_id: str
    user_id: str
    news_id: str
    position: int = 0
    """1-based; 0 unknown."""
    clicked: bool = False
    propensity: float = 0.0
    """0 unknown."""
    time: datetime | None = None
    """With a time zone; None: now."""
    dwell_seconds: float = 0.0
    model_version: str = ""


@dataclass(frozen=True)
class Ranking:
    """An answer; entry i of each tuple belongs to place i + 1."""

    news_ids: tuple[str, ...]
    scores: tuple[float, ...]
    propensities: tuple[float, ...]
    model_version: str
    rung: str
    """``session``, ``cached``, ``history`` or ``popular``."""
    slate_id: str

    def impressions(self, user_id: str, clicked: Collection[str] = ()) -> list[Impression]:
        """Say that a reader was shown this slate as it is, and clicked some of it.

        Raises:
            InvalidRequest: What was clicked is one text, of which other ids may be a part.
        """
        if isinstance(clicked, str):
            raise InvalidRequest({"clicked": not_a_list(clicked)})
        places = zip(self.news_ids, self.propensities, strict=True)
        return [
            Impression(
                slate_id=self.slate_id,
                user_id=user_id,
                news_id=news_id,
                position=place,
                clicked=news_id in clicked,
                propensity=propensity,
                model_version=self.model_version,
            )
            for place, (news_id, propensity) in enumerate(places, start=1)
        ]


@dataclass(frozen=True)
class Model:
    """A published version."""

    version: str
    space: str
    dim: int
    dtype: str
    num_news: int
    num_readers: int
    created_at: datetime
    audit_verdict: str
    """``pass``, ``fail``, ``insufficient``, or empty: published without an audit."""
    live: bool
