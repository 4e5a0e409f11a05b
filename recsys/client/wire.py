"""A client's values to messages and back, and gRPC's errors to ours."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status

from recsys.client.values import Filter, Impression, Model, Ranking, Request, not_a_list
from recsys.errors import InvalidRequest, Overloaded, RecsysError, ServingError, VersionNotFound
from recsys.rpc.v1 import feedback_pb2, model_pb2, ranking_pb2

M = TypeVar("M", bound=Message)

ERRORS: dict[grpc.StatusCode, type[RecsysError]] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.NOT_FOUND: VersionNotFound,
    grpc.StatusCode.UNAVAILABLE: ServingError,
    grpc.StatusCode.DEADLINE_EXCEEDED: ServingError,
    grpc.StatusCode.CANCELLED: ServingError,
    grpc.StatusCode.UNAUTHENTICATED: ServingError,
}
TOO_LARGE = "message larger than max"
"""What gRPC says of a message over the limit; its code is that of a service that is overloaded."""
RUNGS = {
    ranking_pb2.RUNG_SESSION: "session",
    ranking_pb2.RUNG_CACHED: "cached",
    ranking_pb2.RUNG_HISTORY: "history",
    ranking_pb2.RUNG_POPULAR: "popular",
}


def rank_request(request: Request) -> ranking_pb2.RankRequest:
    """Write what is asked for one reader."""
    return _message(
        ranking_pb2.RankRequest,
        user_id=request.user_id,
        history_ids=request.history_ids,
        candidate_ids=request.candidate_ids,
        k=request.k,
        filter=_filter(request.filter),
        request_id=request.request_id,
    )


def rank_batch_request(requests: Sequence[Request]) -> ranking_pb2.RankBatchRequest:
    """Write what is asked for many readers."""
    return ranking_pb2.RankBatchRequest(requests=map(rank_request, requests))


def _filter(wanted: Filter) -> ranking_pb2.Filter | None:
    if wanted == Filter():
        return None
    return _message(
        ranking_pb2.Filter,
        categories=wanted.categories,
        providers=wanted.providers,
        published_after=_timestamp("published_after", wanted.published_after),
        exclude_ids=wanted.exclude_ids,
        seen=ranking_pb2.SEEN_SHOW if wanted.show_seen else ranking_pb2.SEEN_HIDE,
    )


def ranking(response: ranking_pb2.RankResponse) -> Ranking:
    """Read one answer."""
    return Ranking(
        news_ids=tuple(response.news_ids),
        scores=tuple(response.scores),
        propensities=tuple(response.propensities),
        model_version=response.model_version,
        rung=RUNGS.get(response.rung, "unspecified"),
        slate_id=response.slate_id,
    )


def rankings(response: ranking_pb2.RankBatchResponse) -> list[Ranking]:
    """Read many answers."""
    return [ranking(one) for one in response.responses]


def report_request(impressions: Sequence[Impression]) -> feedback_pb2.ReportRequest:
    """Write what readers were shown."""
    return feedback_pb2.ReportRequest(impressions=map(_impression, impressions))


def _impression(shown: Impression) -> feedback_pb2.Impression:
    return _message(
        feedback_pb2.Impression,
        slate_id=shown.slate_id,
        user_id=shown.user_id,
        news_id=shown.news_id,
        position=shown.position,
        clicked=shown.clicked,
        propensity=shown.propensity,
        time=_timestamp("time", shown.time),
        dwell_seconds=shown.dwell_seconds,
        model_version=shown.model_version,
    )


def model(message: model_pb2.Model) -> Model:
    """Read a version's description."""
    return Model(
        version=message.version,
        space=message.space,
        dim=message.dim,
        dtype=message.dtype,
        num_news=message.num_news,
        num_readers=message.num_readers,
        created_at=message.created_at.ToDatetime(UTC),
        audit_verdict=message.audit_verdict,
        live=message.live,
    )


def models(response: model_pb2.ListVersionsResponse) -> list[Model]:
    """Read versions, oldest first."""
    return [model(one) for one in response.versions]


def error(failure: grpc.RpcError, target: str) -> RecsysError:
    """Turn a failed call into one of our errors; the text names the service when it was away."""
    code, details = failure.code(), failure.details() or failure.code().name
    if code is grpc.StatusCode.INVALID_ARGUMENT or TOO_LARGE in details:
        return InvalidRequest(_violations(failure) or {"request": details})
    cls = ERRORS.get(code, RecsysError)
    if cls is not ServingError:
        return cls(details)
    _, refused, reason = details.rpartition("Failed to connect to remote host: ")
    if refused or code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServingError(f"no answer from {target}: {reason}")
    return ServingError(f"{target}: {details}")


def _violations(failure: grpc.RpcError) -> dict[str, str]:
    """Read the fields that a refusal names."""
    status = rpc_status.from_call(failure)
    found: dict[str, str] = {}
    for detail in status.details if status else ():
        bad = BadRequest()
        if detail.Unpack(bad):
            found |= {violation.field: violation.description for violation in bad.field_violations}
    return found


def _message(cls: type[M], **fields: Any) -> M:
    """Build a message, naming every field whose value its type on the wire cannot hold.

    A text in a list's place is refused: it is a sequence too, and would travel as its letters.
    """
    known = cls.DESCRIPTOR.fields_by_name
    texts = [name for name in fields if known[name].is_repeated and isinstance(fields[name], str)]
    if texts:
        raise InvalidRequest({name: not_a_list(fields[name]) for name in texts})
    try:
        return cls(**fields)
    except ValueError:
        raise InvalidRequest(dict(_misfits(cls, fields))) from None


def _misfits(cls: type[Message], fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        try:
            cls(**{name: value})
        except ValueError as error:
            yield name, str(error)


def _timestamp(field: str, moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    if moment.tzinfo is None:  # protobuf would take it for UTC, Python means the local time
        raise InvalidRequest({field: "expected a time with a time zone"})
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
