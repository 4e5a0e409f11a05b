"""The client for programs that block."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recsys.client import wire
from recsys.client.channel import (
    LOADING_SECONDS,
    POLL_SECONDS,
    RANKING,
    Tls,
    connect,
    metadata,
)
from recsys.client.values import Filter, Impression, Model, Ranking, Request, Values
from recsys.errors import ServingError
from recsys.rpc.v1 import feedback_pb2_grpc, model_pb2, model_pb2_grpc, ranking_pb2_grpc

T = TypeVar("T")


class RankerClient:
    """One channel to a ranking service; safe to share between threads."""

    def __init__(
        self,
        target: str,
        *,
        timeout_s: float = 2.0,
        token: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Prepare to call; the connection is made by the first call.

        Args:
            target: ``HOST:PORT``.
            timeout_s: Longest a call may take, seconds.
            token: Bearer token, where the service asks for one.
            tls: Set for an encrypted channel.

        Raises:
            ConfigError: A PEM file cannot be read, only one of certificate and key is given, or
                the token has other characters than printable ASCII.
        """
        self._target = target
        self._timeout_s = timeout_s
        self._metadata = metadata(token)
        self._channel = connect(target, tls)
        self._ranking = ranking_pb2_grpc.RankingServiceStub(self._channel)
        self._feedback = feedback_pb2_grpc.FeedbackServiceStub(self._channel)
        self._model = model_pb2_grpc.ModelServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._channel.close()

    def rank(
        self,
        user_id: str,
        *,
        k: int = 10,
        history_ids: Values = (),
        candidate_ids: Values = (),
        filter: Filter | None = None,
        request_id: str = "",
    ) -> Ranking:
        """Rank news for one reader; the arguments are those of :class:`Request`."""
        request = Request(user_id, k, history_ids, candidate_ids, filter or Filter(), request_id)
        return self._call(self._ranking.Rank, wire.rank_request(request), wire.ranking)

    def rank_batch(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank for many readers, at most 256, with one version."""
        return self._call(self._ranking.RankBatch, wire.rank_batch_request(requests), wire.rankings)

    def report(self, impressions: Sequence[Impression]) -> int:
        """Report what was shown and clicked, 1 to 1 000 impressions; return how many were taken."""
        return self._call(
            self._feedback.Report, wire.report_request(impressions), lambda taken: taken.accepted
        )

    def model(self) -> Model:
        """Describe the version that answers now."""
        return self._call(self._model.GetModel, model_pb2.GetModelRequest(), wire.model)

    def versions(self) -> list[Model]:
        """List published versions, oldest first."""
        return self._call(self._model.ListVersions, model_pb2.ListVersionsRequest(), wire.models)

    def activate(self, version: str, *, timeout_s: float = LOADING_SECONDS) -> Model:
        """Make a published version live, promotion and rollback alike; returns once it answers."""
        request = model_pb2.ActivateRequest(version=version)
        return self._call(self._model.Activate, request, wire.model, timeout_s)

    def forget(self, user_id: str) -> int:
        """Erase a reader for good; return how many keys were removed."""
        request = model_pb2.ForgetRequest(user_id=user_id)
        return self._call(self._model.Forget, request, lambda done: done.removed_keys)

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until the service has a version to answer with.

        Raises:
            ServingError: It has none when the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_ready(deadline - time.monotonic()):
            if time.monotonic() >= deadline:
                raise ServingError(f"{self._target} is not ready after {timeout_s:g} s")
            time.sleep(POLL_SECONDS)

    def _is_ready(self, seconds_left: float) -> bool:
        request = health_pb2.HealthCheckRequest(service=RANKING)
        timeout = min(self._timeout_s, seconds_left)
        try:
            reply = self._health.Check(request, timeout=timeout)
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def _call(
        self, method: Any, message: Any, read: Callable[[Any], T], timeout_s: float | None = None
    ) -> T:
        timeout = timeout_s or self._timeout_s
        try:
            return read(method(message, timeout=timeout, metadata=self._metadata))
        except grpc.RpcError as failure:
            raise wire.error(failure, self._target) from None
