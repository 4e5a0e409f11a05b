"""Wire messages to domain values and back; every limit of the proto comments is enforced here."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from recsys.ranker.query import Condition
from recsys.rpc.v1 import feedback_pb2, model_pb2, ranking_pb2
from recsys.serving.application import Ask, Slate
from recsys.serving.violations import Violations
from recsys.store.base import Event, VersionMeta
from recsys.types import NewsId, UserId

MAX_CANDIDATES = 10_000
MAX_EXCLUDED = 10_000
MAX_SESSION = 1_000
MAX_VALUES = 1_000
MAX_K = 1_000
DEFAULT_K = 10
MAX_BATCH = 256
MAX_PLACES = 10_000
MAX_IMPRESSIONS = 1_000
MAX_POSITION = 1_000


def asks(requests: Sequence[ranking_pb2.RankRequest]) -> list[Ask]:
    """Read the requests of one RankBatch.

    Raises:
        InvalidRequest: Fields are out of range; each is named as in ``requests[3].k``.
    """
    violations = Violations()
    found = len(requests)
    violations.check(
        "requests", found <= MAX_BATCH, f"expected at most {MAX_BATCH} requests, found {found}"
    )
    violations.refuse()  # half a million empty ones fit a message: none of them is looked at
    places = sum(request.k or DEFAULT_K for request in requests)
    violations.check(
        "requests",
        places <= MAX_PLACES,
        f"expected at most {MAX_PLACES} news wanted in all, found {places}",
    )
    for index, request in enumerate(requests):
        violations.prefix = f"requests[{index}]."
        _check_rank(request, violations)
    violations.refuse()
    return [_ask(request) for request in requests]


def ask(request: ranking_pb2.RankRequest) -> Ask:
    """Read one request.

    Raises:
        InvalidRequest: Fields are out of range.
    """
    violations = Violations()
    _check_rank(request, violations)
    violations.refuse()
    return _ask(request)


def _check_rank(request: ranking_pb2.RankRequest, violations: Violations) -> None:
    wanted = request.filter
    violations.id("user_id", request.user_id)
    violations.id("request_id", request.request_id)
    violations.ids("history_ids", request.history_ids, MAX_SESSION)
    violations.ids("candidate_ids", request.candidate_ids, MAX_CANDIDATES)
    violations.check(
        "k", request.k <= MAX_K, f"expected 1 to {MAX_K}, or 0 for {DEFAULT_K}, found {request.k}"
    )
    violations.ids("filter.categories", wanted.categories, MAX_VALUES)
    violations.ids("filter.providers", wanted.providers, MAX_VALUES)
    violations.ids("filter.exclude_ids", wanted.exclude_ids, MAX_EXCLUDED)
    violations.time("filter.published_after", wanted.published_after)
    violations.check(
        "filter.seen",
        wanted.seen in ranking_pb2.Seen.values(),
        f"expected SEEN_HIDE or SEEN_SHOW, found {wanted.seen}",
    )


def _ask(request: ranking_pb2.RankRequest) -> Ask:
    return Ask(
        user=UserId(request.user_id),
        session=_news(request.history_ids),
        candidates=_news(request.candidate_ids),
        k=request.k or DEFAULT_K,
        condition=_condition(request.filter) if request.HasField("filter") else None,
        exclude=_news(request.filter.exclude_ids),
        hide_seen=request.filter.seen != ranking_pb2.SEEN_SHOW,
    )


def _news(ids: Iterable[str]) -> list[NewsId]:
    return cast(list[NewsId], list(ids))  # there may be thousands: no call for each


def _condition(wanted: ranking_pb2.Filter) -> Condition | None:
    after = None
    if wanted.HasField("published_after"):
        moment = wanted.published_after
        after = moment.seconds + (moment.nanos > 0)  # the catalogue knows whole seconds
    if not wanted.categories and not wanted.providers and after is None:
        return None
    return Condition(
        categories=frozenset(wanted.categories),
        providers=frozenset(wanted.providers),
        published_after=after,
    )


def response(slate: Slate) -> ranking_pb2.RankResponse:
    """Write one answer."""
    return ranking_pb2.RankResponse(
        news_ids=slate.news,
        scores=slate.scores.tolist(),
        propensities=slate.propensities.tolist(),
        model_version=slate.version,
        rung=f"RUNG_{slate.rung.name}",
        slate_id=slate.slate_id,
    )


def events(request: feedback_pb2.ReportRequest, *, now: datetime) -> list[Event]:
    """Read reported impressions; those without a time were shown ``now``.

    Raises:
        InvalidRequest: Fields are out of range; each is named as in ``impressions[3].news_id``.
    """
    violations = Violations()
    found = len(request.impressions)
    violations.check(
        "impressions",
        1 <= found <= MAX_IMPRESSIONS,
        f"expected 1 to {MAX_IMPRESSIONS}, found {found}",
    )
    violations.refuse()
    for index, impression in enumerate(request.impressions):
        violations.prefix = f"impressions[{index}]."
        _check_impression(impression, violations)
    violations.refuse()
    return [_event(impression, now) for impression in request.impressions]


def _check_impression(shown: feedback_pb2.Impression, violations: Violations) -> None:
    violations.id("slate_id", shown.slate_id)
    violations.required_id("user_id", shown.user_id)
    violations.required_id("news_id", shown.news_id)
    violations.id("model_version", shown.model_version)
    violations.check(
        "position",
        shown.position <= MAX_POSITION,
        f"expected 1 to {MAX_POSITION}, or 0 for unknown, found {shown.position}",
    )
    violations.check(
        "propensity",
        0 <= shown.propensity <= 1,
        f"expected above 0 to 1, or 0 for unknown, found {shown.propensity}",
    )
    violations.check(
        "dwell_seconds",
        isfinite(shown.dwell_seconds) and shown.dwell_seconds >= 0,
        f"expected 0 or more, found {shown.dwell_seconds}",
    )
    violations.time("time", shown.time)


def _event(shown: feedback_pb2.Impression, now: datetime) -> Event:
    return Event(
        slate_id=shown.slate_id,
        user_id=UserId(shown.user_id),
        news_id=NewsId(shown.news_id),
        position=shown.position,
        clicked=shown.clicked,
        propensity=shown.propensity,
        time=shown.time.ToDatetime(UTC) if shown.HasField("time") else now,
        dwell_seconds=shown.dwell_seconds,
        model_version=shown.model_version,
    )


def user_to_forget(request: model_pb2.ForgetRequest) -> UserId:
    """Read who wants to be forgotten.

    Raises:
        InvalidRequest: The id is empty or too long.
    """
    violations = Violations()
    violations.required_id("user_id", request.user_id)
    violations.refuse()
    return UserId(request.user_id)


def model(meta: VersionMeta, *, live: bool) -> model_pb2.Model:
    """Describe a published version."""
    created = Timestamp()
    created.FromDatetime(meta.created_at)
    return model_pb2.Model(
        version=meta.version,
        space=meta.space,
        dim=meta.dim,
        dtype=meta.dtype,
        num_news=meta.num_news,
        num_readers=meta.num_readers,
        created_at=created,
        audit_verdict=meta.audit_verdict,
        live=live,
    )
