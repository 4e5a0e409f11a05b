from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from recsys.client import Impression, RankerClient, Tls
from recsys.client.channel import connect, metadata
from recsys.errors import ConfigError, ServingError
from recsys.rpc.v1 import (
    feedback_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    ranking_pb2,
    ranking_pb2_grpc,
)


class Away(
    ranking_pb2_grpc.RankingServiceServicer,
    feedback_pb2_grpc.FeedbackServiceServicer,
    model_pb2_grpc.ModelServiceServicer,
):
    """A service that is away at each method's first call."""

    def __init__(self):
        self.calls = []

    def _answer(self, method, answer, context):
        self.calls.append(method)
        if self.calls.count(method) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return answer

    def Rank(self, request, context):
        return self._answer("Rank", ranking_pb2.RankResponse(slate_id="s"), context)

    def GetModel(self, request, context):
        return self._answer("GetModel", model_pb2.Model(version="v"), context)

    def Report(self, request, context):
        return self._answer("Report", None, context)

    def Forget(self, request, context):
        return self._answer("Forget", None, context)


@pytest.fixture
def away():
    service, server = Away(), grpc.server(ThreadPoolExecutor(1))
    ranking_pb2_grpc.add_RankingServiceServicer_to_server(service, server)
    feedback_pb2_grpc.add_FeedbackServiceServicer_to_server(service, server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with RankerClient(f"127.0.0.1:{port}", timeout_s=60) as client:
        yield service, client
    server.stop(None).wait()


def test_calls_that_read_are_tried_again(away):
    service, client = away
    assert client.rank("ann").slate_id == "s"
    assert client.model().version == "v"
    assert service.calls == ["Rank", "Rank", "GetModel", "GetModel"]


def test_calls_that_write_are_made_once(away):
    service, client = away
    for call in (lambda: client.report([Impression("s", "ann", "N1")]), lambda: client.forget("a")):
        with pytest.raises(ServingError, match="away"):
            call()
    assert service.calls == ["Report", "Forget"]


def test_a_token_travels_as_a_bearer():
    assert metadata("s3cret") == (("authorization", "Bearer s3cret"),)
    assert metadata(None) == ()


@pytest.mark.parametrize("token", ["s3cret\n", "sécret"])
def test_a_token_that_no_header_carries_is_an_error_that_does_not_show_it(token):
    with pytest.raises(ConfigError, match=r"^token: expected printable ASCII") as caught:
        metadata(token)
    assert "cret" not in str(caught.value)


def test_a_missing_certificate_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.pem: No such file"):
        connect("localhost:1", Tls(ca=tmp_path / "none.pem"))


@pytest.mark.parametrize("part", ["cert", "key"])
def test_half_of_a_clients_certificate_is_an_error(tmp_path, part):
    """Left to gRPC it ends the process, at the first call."""
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----")
    with pytest.raises(ConfigError, match="cert, key: expected both"):
        connect("localhost:1", Tls(**{part: tmp_path / "half.pem"}))
