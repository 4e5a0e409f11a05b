import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc_status import rpc_status

from recsys.errors import (
    CheckpointError,
    InvalidRequest,
    Overloaded,
    ServingError,
    StoreUnavailable,
    VersionNotFound,
)
from recsys.rpc.v1 import ranking_pb2, ranking_pb2_grpc
from recsys.serving.metrics import Metrics
from recsys.serving.status import MAX_VIOLATIONS, answering

Code = grpc.StatusCode


class Raising(ranking_pb2_grpc.RankingServiceServicer):
    def __init__(self, error, metrics):
        self.error = error
        self.metrics = metrics

    async def Rank(self, request, context):
        async with answering(context, self.metrics, "Rank", request.request_id):
            raise self.error


@asynccontextmanager
async def stub(servicer):
    server = grpc.aio.server()
    ranking_pb2_grpc.add_RankingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield ranking_pb2_grpc.RankingServiceStub(channel)
    finally:
        await server.stop(None)


def failure(error, metrics=None):
    """What a caller sees of an error."""

    async def call():
        async with stub(Raising(error, metrics or Metrics())) as service:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.Rank(ranking_pb2.RankRequest(request_id="r-17"))
            return caught.value

    return asyncio.run(call())


def detail(error, kind):
    """The rich detail of one kind."""
    found = kind()
    (packed,) = rpc_status.from_call(error).details
    assert packed.Unpack(found)
    return found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest({"k": "expected 1 to 1000"}), Code.INVALID_ARGUMENT),
        (Overloaded("busy"), Code.RESOURCE_EXHAUSTED),
        (ServingError("nothing published"), Code.UNAVAILABLE),
        (StoreUnavailable("redis: refused"), Code.UNAVAILABLE),
        (VersionNotFound("v9"), Code.NOT_FOUND),
        (CheckpointError("damaged"), Code.FAILED_PRECONDITION),
    ],
)
def test_errors_become_status_codes_and_are_counted(error, code):
    metrics = Metrics()
    seen = failure(error, metrics)
    assert seen.code() is code
    assert str(error) in seen.details()
    labels = {"method": "Rank", "code": code.name}
    assert metrics.registry.get_sample_value("recsys_requests_total", labels) == 1


def test_every_offending_field_is_in_the_details():
    violations = {"k": "expected 1 to 1000", "user_id": "expected at most 256 bytes"}
    seen = failure(InvalidRequest(violations))
    named = detail(seen, BadRequest).field_violations
    assert {one.field: one.description for one in named} == violations
    assert seen.details() == "k: expected 1 to 1000; and 1 more"


def test_thousands_of_offending_fields_still_fit_the_trailers_and_a_line_of_the_log(caplog):
    caplog.set_level("INFO")
    violations = {f"candidate_ids[{i}]": "expected at most 256 bytes" for i in range(10_000)}
    seen = failure(InvalidRequest(violations))
    assert seen.code() is Code.INVALID_ARGUMENT
    assert len(detail(seen, BadRequest).field_violations) == MAX_VIOLATIONS
    (record,) = caplog.records
    assert record.getMessage().endswith("expected at most 256 bytes; and 9999 more")


def test_an_overloaded_service_says_when_to_come_back():
    metrics = Metrics()
    seen = failure(Overloaded("busy"), metrics)
    assert detail(seen, RetryInfo).retry_delay.ToTimedelta().total_seconds() > 0
    assert metrics.registry.get_sample_value("recsys_shed_total") == 1


def test_a_defect_is_logged_and_not_shown(caplog):
    seen = failure(KeyError("secret internals"))
    assert seen.code() is Code.INTERNAL
    assert "secret" not in seen.details()
    assert "secret internals" in caplog.text
    assert "r-17" in caplog.text
