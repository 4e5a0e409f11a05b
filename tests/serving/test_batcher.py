import asyncio
import threading

import pytest

from recsys.errors import Overloaded
from recsys.serving.batcher import Batcher, BatcherConfig


async def submit_all(batcher, groups):
    server = asyncio.create_task(batcher.run())
    try:
        return await asyncio.gather(*map(batcher.submit, groups), return_exceptions=True)
    finally:
        server.cancel()


def gated():
    """A compute that records its batches and holds them until it is let go."""
    gate, batches = threading.Event(), []

    def compute(requests):
        batches.append(list(requests))
        gate.wait(60)
        return requests

    return gate, batches, compute


def test_each_caller_gets_its_own_replies():
    batcher = Batcher(lambda xs: [x * 10 for x in xs], BatcherConfig())
    replies = asyncio.run(submit_all(batcher, [[0], [1, 2], [3], [4]]))
    assert replies == [[0], [10, 20], [30], [40]]


def test_batches_never_exceed_the_limit():
    sizes = []

    def compute(xs):
        sizes.append(len(xs))
        return xs

    asyncio.run(submit_all(Batcher(compute, BatcherConfig(max_batch=4)), [[x] for x in range(10)]))
    assert sizes == [4, 4, 2]


def test_a_group_is_never_split_even_when_it_is_larger_than_a_batch():
    batches = []

    def compute(xs):
        batches.append(list(xs))
        return xs

    groups = [[1], [2, 3], [4, 5, 6, 7]]
    replies = asyncio.run(submit_all(Batcher(compute, BatcherConfig(max_batch=2)), groups))
    assert batches == [[1], [2, 3], [4, 5, 6, 7]]
    assert replies == groups


def test_requests_that_arrive_during_a_batch_make_the_next_one():
    gate, batches, compute = gated()

    async def scene():
        batcher = Batcher(compute, BatcherConfig())
        server = asyncio.create_task(batcher.run())
        callers = [asyncio.create_task(batcher.submit([0]))]
        while not batches:
            await asyncio.sleep(0.001)
        callers += [asyncio.create_task(batcher.submit([x])) for x in (1, 2, 3)]
        await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(*callers)
        server.cancel()

    asyncio.run(scene())
    assert batches == [[0], [1, 2, 3]]


def test_a_lone_request_does_not_wait_for_company():
    async def scene():
        batcher = Batcher(lambda xs: xs, BatcherConfig(max_wait_ms=600_000))
        server = asyncio.create_task(batcher.run())
        async with asyncio.timeout(60):
            await batcher.submit([1])
        server.cancel()

    asyncio.run(scene())


def computed_in_company(leavers):
    """List the batches when the first of two callers leave while theirs waits for a third."""
    batches = []

    def compute(xs):
        batches.append(list(xs))
        return xs

    async def scene():
        batcher = Batcher(compute, BatcherConfig(max_batch=3, max_wait_ms=600_000))
        callers = [asyncio.create_task(batcher.submit([x])) for x in (1, 2)]
        server = asyncio.create_task(batcher.run())
        await asyncio.sleep(0.01)
        for _ in range(leavers):
            callers.pop(0).cancel()
        callers.append(asyncio.create_task(batcher.submit([3])))
        async with asyncio.timeout(60):
            await asyncio.gather(*callers)
        server.cancel()

    asyncio.run(scene())
    return batches


def test_company_keeps_a_batch_open_until_it_is_full():
    assert computed_in_company(leavers=0) == [[1, 2, 3]]


def test_a_failing_batch_tells_every_caller():
    def compute(xs):
        if 13 in xs:
            raise RuntimeError("out of memory")
        return xs

    async def scene():
        batcher = Batcher(compute, BatcherConfig())
        return await submit_all(batcher, [[12], [13]])

    assert [str(r) for r in asyncio.run(scene())] == ["out of memory"] * 2


def test_a_failure_does_not_end_the_batcher():
    def compute(xs):
        if 13 in xs:
            raise RuntimeError("out of memory")
        return xs

    async def scene():
        batcher = Batcher(compute, BatcherConfig(max_batch=1))
        return await submit_all(batcher, [[13], [14]])

    assert asyncio.run(scene())[1] == [14]


def test_a_full_queue_refuses_and_serves_those_that_wait():
    gate, batches, compute = gated()

    async def scene():
        batcher = Batcher(compute, BatcherConfig(max_batch=1, max_queue=2))
        server = asyncio.create_task(batcher.run())
        callers = [asyncio.create_task(batcher.submit([0]))]
        while not batches:
            await asyncio.sleep(0.001)
        callers += [asyncio.create_task(batcher.submit([x])) for x in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit([3])
        gate.set()
        replies = await asyncio.gather(*callers)
        server.cancel()
        return replies

    assert asyncio.run(scene()) == [[0], [1], [2]]


def test_a_caller_that_has_gone_is_not_computed_and_frees_its_place():
    gate, batches, compute = gated()

    async def scene():
        batcher = Batcher(compute, BatcherConfig(max_batch=1, max_queue=1))
        server = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.submit([0]))
        while not batches:
            await asyncio.sleep(0.001)
        gone = asyncio.create_task(batcher.submit([1]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 0
        third = asyncio.create_task(batcher.submit([2]))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, third)
        server.cancel()

    asyncio.run(scene())
    assert batches == [[0], [2]]


def test_a_caller_that_goes_while_its_batch_waits_for_company_is_not_computed():
    assert computed_in_company(leavers=1) == [[2, 3]]
