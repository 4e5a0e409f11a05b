"""The Python client of the ranking service; needs grpcio only.

    with RankerClient("localhost:50051") as ranker:
        ranking = ranker.rank("U13740", k=5, history_ids=["N55528"])
        ranker.report(ranking.impressions("U13740", clicked={ranking.news_ids[0]}))

:class:`AsyncRankerClient` has the same calls, to be awaited. Either opens one channel, which
reconnects by itself; calls that only read are tried again while the service is briefly away.

Every call raises `InvalidRequest` (naming every field out of range), `Overloaded` (retry later),
`VersionNotFound`, `ServingError` (no answer in time, or no version to answer with) or, for
anything else, their base `RecsysError`; all from `recsys.errors`.
"""

from recsys.client.aio import AsyncRankerClient
from recsys.client.channel import Tls
from recsys.client.sync import RankerClient
from recsys.client.values import Filter, Impression, Model, Ranking, Request

__all__ = [
    "AsyncRankerClient",
    "Filter",
    "Impression",
    "Model",
    "RankerClient",
    "Ranking",
    "Request",
    "Tls",
]
