"""From our errors to gRPC statuses with rich details; the only place that knows both."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from recsys.errors import (
    CheckpointError,
    InvalidRequest,
    Overloaded,
    RecsysError,
    ServingError,
    StoreError,
    VersionNotFound,
)
from recsys.serving.metrics import Metrics

log = logging.getLogger(__name__)

STATUS = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    CheckpointError: grpc.StatusCode.FAILED_PRECONDITION,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ServingError: grpc.StatusCode.UNAVAILABLE,
    VersionNotFound: grpc.StatusCode.NOT_FOUND,
    StoreError: grpc.StatusCode.UNAVAILABLE,
}
RETRY_AFTER = timedelta(milliseconds=100)
"""What a refused caller is told to wait: a few batches' time."""
MAX_VIOLATIONS = 16
"""Fields named in one refusal: details travel in HTTP/2 trailers, which hold 8 KiB."""


@asynccontextmanager
async def answering(
    context: grpc.aio.ServicerContext, metrics: Metrics, method: str, request_id: str = ""
) -> AsyncIterator[None]:
    """Time and count one call, and end it with the status of whatever was raised inside."""
    with metrics.timed(method) as ends_with:
        try:
            yield
        except RecsysError as error:
            code = _code(error)
            ends_with(code.name)
            shed = code is grpc.StatusCode.RESOURCE_EXHAUSTED
            metrics.shed.inc(shed)
            level = logging.DEBUG if shed else logging.INFO  # a flood must not become one of lines
            log.log(
                level,
                "%s refused, request_id=%r: %s: %s",
                method,
                request_id,
                code.name,
                _text(error),
            )
            await _abort(context, code, error)
        except Exception:  # a defect: the log must hear of it, the caller learns only that
            ends_with(grpc.StatusCode.INTERNAL.name)
            log.exception("%s failed, request_id=%r", method, request_id)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error; see the server's log")
        except BaseException:  # the caller has gone; gRPC hears of it
            ends_with(grpc.StatusCode.CANCELLED.name)
            raise
    log.debug("%s answered, request_id=%r", method, request_id)


def _code(error: RecsysError) -> grpc.StatusCode:
    """Find the code of the nearest known base class."""
    return next(
        (STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), grpc.StatusCode.INTERNAL
    )


async def _abort(
    context: grpc.aio.ServicerContext, code: grpc.StatusCode, error: RecsysError
) -> NoReturn:
    status = Status(code=code.value[0], message=_text(error))
    if detail := _detail(error):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    rich = rpc_status.to_status(status)
    await context.abort(code, status.message, trailing_metadata=rich.trailing_metadata)
    raise AssertionError("abort always raises")


def _text(error: RecsysError) -> str:
    if not isinstance(error, InvalidRequest):
        return str(error)
    first, *others = error.violations.items()
    more = f"; and {len(others)} more" if others else ""
    return f"{first[0]}: {first[1]}{more}"


def _detail(error: RecsysError) -> Message | None:
    if isinstance(error, Overloaded):
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(RETRY_AFTER)
        return retry
    if isinstance(error, InvalidRequest):
        violations = list(error.violations.items())[:MAX_VIOLATIONS]
        return BadRequest(
            field_violations=[
                BadRequest.FieldViolation(field=field, description=text)
                for field, text in violations
            ]
        )
    return None
