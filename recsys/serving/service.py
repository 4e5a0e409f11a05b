"""The gRPC face: one RPC, one call; messages to domain and back, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import grpc

from recsys.errors import ServingError
from recsys.rpc.v1 import (
    feedback_pb2,
    feedback_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    ranking_pb2,
    ranking_pb2_grpc,
)
from recsys.serving import messages
from recsys.serving.application import Ask, Slate
from recsys.serving.live import LiveModel
from recsys.serving.metrics import Metrics
from recsys.serving.status import answering
from recsys.store.base import Store
from recsys.types import Version

Context: TypeAlias = grpc.aio.ServicerContext


class RankingService(ranking_pb2_grpc.RankingServiceServicer):
    """Ranks news; ``rank`` answers a group of asks in order, all from one version."""

    def __init__(
        self, rank: Callable[[Sequence[Ask]], Awaitable[Sequence[Slate]]], metrics: Metrics
    ) -> None:
        self._rank = rank
        self._metrics = metrics

    async def Rank(
        self, request: ranking_pb2.RankRequest, context: Context
    ) -> ranking_pb2.RankResponse:
        """Rank for one reader."""
        async with answering(context, self._metrics, "Rank", request.request_id):
            (slate,) = await self._rank([messages.ask(request)])
            return messages.response(slate)

    async def RankBatch(
        self, request: ranking_pb2.RankBatchRequest, context: Context
    ) -> ranking_pb2.RankBatchResponse:
        """Rank for many readers with one version."""
        first = request.requests[0].request_id if request.requests else ""
        async with answering(context, self._metrics, "RankBatch", first):
            asks = messages.asks(request.requests)
            slates = await self._rank(asks) if asks else []
            return ranking_pb2.RankBatchResponse(responses=map(messages.response, slates))


class FeedbackService(feedback_pb2_grpc.FeedbackServiceServicer):
    """Takes back what readers were shown and what they clicked."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def Report(
        self, request: feedback_pb2.ReportRequest, context: Context
    ) -> feedback_pb2.ReportResponse:
        """Append impressions to the event stream and clicks to histories."""
        async with answering(context, self._metrics, "Report"):
            events = messages.events(request, now=datetime.now(UTC))
            accepted = await asyncio.to_thread(self._store.report, events)
            self._metrics.impressions.inc(accepted)
            return feedback_pb2.ReportResponse(accepted=accepted)


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """Says which versions there are, changes the live one, and forgets readers."""

    def __init__(self, store: Store, live: LiveModel, metrics: Metrics) -> None:
        self._store = store
        self._live = live
        self._metrics = metrics

    async def GetModel(
        self, request: model_pb2.GetModelRequest, context: Context
    ) -> model_pb2.Model:
        """Describe the version that answers now."""
        async with answering(context, self._metrics, "GetModel"):
            if self._live.model is None:
                raise ServingError("no version is published yet")
            return messages.model(self._live.model.meta, live=True)

    async def ListVersions(
        self, request: model_pb2.ListVersionsRequest, context: Context
    ) -> model_pb2.ListVersionsResponse:
        """List published versions, oldest first."""
        async with answering(context, self._metrics, "ListVersions"):
            versions = await asyncio.to_thread(self._store.versions)
            live = self._live.model.meta.version if self._live.model else None
            return model_pb2.ListVersionsResponse(
                versions=[messages.model(meta, live=meta.version == live) for meta in versions]
            )

    async def Activate(
        self, request: model_pb2.ActivateRequest, context: Context
    ) -> model_pb2.Model:
        """Make a published version live here at once, and elsewhere within a poll."""
        async with answering(context, self._metrics, "Activate"):
            model = await self._live.activate(Version(request.version))
            return messages.model(model.meta, live=True)

    async def Forget(
        self, request: model_pb2.ForgetRequest, context: Context
    ) -> model_pb2.ForgetResponse:
        """Erase a reader from the store, for good."""
        async with answering(context, self._metrics, "Forget"):
            user = messages.user_to_forget(request)
            removed = await asyncio.to_thread(self._store.forget, user)
            return model_pb2.ForgetResponse(removed_keys=removed)
