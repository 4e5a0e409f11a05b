import asyncio
import inspect

import pytest

from recsys.client import AsyncRankerClient, Impression, RankerClient, Request
from recsys.errors import InvalidRequest, ServingError


def test_both_clients_have_the_same_calls():
    def calls(cls):
        return {
            name: inspect.signature(method)
            for name, method in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_")
        }

    assert calls(AsyncRankerClient) == calls(RankerClient)


def test_calls_are_awaited_side_by_side(server):
    async def scene():
        async with AsyncRankerClient(server.address, timeout_s=60) as client:
            await client.wait_ready(60)
            rankings = await asyncio.gather(*[client.rank(user, k=3) for user in ("ann", "bob")])
            batch = await client.rank_batch([Request("ann", 3), Request("bob", 3)])
            return rankings, batch

    rankings, batch = asyncio.run(scene())
    assert [one.news_ids for one in rankings] == [one.news_ids for one in batch]


def test_every_other_call_answers(server):
    async def scene():
        async with AsyncRankerClient(server.address, timeout_s=60) as client:
            model = await client.model()
            assert [one.version for one in await client.versions()] == [model.version]
            assert await client.activate(model.version) == model
            assert await client.report([Impression("s", "dan", "N1", clicked=True)]) == 1
            assert await client.forget("dan") == 1

    asyncio.run(scene())


def test_errors_are_ours(server):
    async def ask(target, **wanted):
        async with AsyncRankerClient(target) as client:
            await client.rank("ann", **wanted)

    with pytest.raises(InvalidRequest, match="k: expected"):
        asyncio.run(ask(server.address, k=1_001))
    with pytest.raises(ServingError, match=r"no answer from 127.0.0.1:1: "):
        asyncio.run(ask("127.0.0.1:1"))
