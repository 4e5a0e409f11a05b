import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import redis
from redis import Redis

from recsys.errors import CheckpointError, SpaceMismatch, StoreUnavailable, VersionNotFound
from recsys.store import layout
from recsys.store.connect import open_store
from recsys.store.embedded import EmbeddedServer
from recsys.store.redis import RedisStore
from tests.serving.world import free_port, redis_process
from tests.store.contract import (
    LIMITS,
    ONES,
    USERS,
    StoreContract,
    event,
    meta,
    publish,
)


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(server, prefix, clock):
    client = Redis(unix_socket_path=str(server.socket))
    store = RedisStore(client, name="redis", prefix=prefix, limits=LIMITS, clock=clock)
    yield store
    store.close()


@pytest.fixture
def keys(client, prefix):
    """All keys of this test's store, without the prefix."""

    def keys():
        names = client.scan_iter(match=prefix.translate({ord(c): f"\\{c}" for c in "[]^*?"}) + "*")
        return sorted(name.decode().removeprefix(prefix) for name in names)

    return keys


class TestRedisStore(StoreContract):
    @pytest.fixture
    def store(self, store):
        return store


# -- layout


def test_the_keys_are_those_of_the_layout(store, keys):
    publish(store, meta(), clicks=[("u1", ["n1"])])
    store.report([event("u2")])
    store.forget("u2")
    version = meta().version
    assert keys() == sorted(
        [
            "events",
            "forgotten",
            "history:u1",
            "live",
            "s:00000001:models",
            "s:00000001:u:u1",
            "salt",
            "spaces",
            f"v:{version}:encoder",
            f"v:{version}:meta",
            f"v:{version}:news:0",
            "versions",
        ]
    )


def test_a_vector_is_its_stamp_and_float16_numbers(store, client, prefix):
    publish(store, meta(model_hash="1a2b3c4d"))
    value = client.get(f"{prefix}s:1a2b3c4d:u:u1")
    assert value == b"\x1a\x2b\x3c\x4d" + np.ones(3, "<f2").tobytes()


def test_a_reader_costs_what_the_layout_says(store, client, prefix):
    dim = 128
    version = replace(meta(), dim=dim)
    publish(store, version, ["reader-0001"], np.ones((1, dim), np.float16))
    key = f"{prefix}s:{version.space}:u:reader-0001"
    used = client.memory_usage(key)
    assert 2 * dim + 4 < used <= 2 * dim + 4 + len(key) + layout.READER_OVERHEAD


def test_histories_expire(store, client, prefix):
    publish(store, meta(), clicks=[("u1", ["n1"])])
    store.report([event("u2")])
    for user in USERS:
        assert 0 < client.ttl(f"{prefix}history:{user}") <= LIMITS.history_ttl_seconds


def test_erased_ids_cannot_be_read(store, client, prefix):
    store.forget("reader-0001")
    (stone,) = client.smembers(f"{prefix}forgotten")
    assert stone == layout.tombstone("reader-0001", client.get(f"{prefix}salt"))
    assert b"reader" not in stone


@pytest.mark.parametrize(
    "write",
    [
        lambda store: publish(store, meta()),
        lambda store: publish(store, meta(), [], ONES[:0], clicks=[(u, ["n1"]) for u in USERS]),
        lambda store: store.report([event(user) for user in USERS]),
    ],
    ids=["vectors", "histories", "report"],
)
def test_who_is_erased_between_the_look_and_the_write_stays_erased(store, keys, monkeypatch, write):
    look = store._erasure.is_forgotten

    def look_then_forget(users):
        gone = look(users)
        monkeypatch.undo()
        store.forget("u1")
        return gone

    monkeypatch.setattr(store._erasure, "is_forgotten", look_then_forget)
    write(store)
    written = [key for key in keys() if key.endswith((":u1", ":u2"))]
    assert written and not [key for key in written if key.endswith(":u1")]


def test_an_erasure_after_redis_lost_its_data_is_known_to_everybody(store, server, client, prefix):
    """The new Redis gets a new salt; a service that ran all the while knew the old one."""
    store.forget("u1")
    client.delete(f"{prefix}salt", f"{prefix}forgotten")
    store.forget("u2")
    with Redis(unix_socket_path=str(server.socket)) as others:
        other = RedisStore(others, name="redis", prefix=prefix)
        assert other.is_forgotten(USERS) == [False, True]
        client.delete(f"{prefix}salt", f"{prefix}forgotten")
        other.forget("u1")
    assert store.is_forgotten(USERS) == [True, False]


# -- a version is there whole or not at all


def test_news_are_cut_into_chunks(store, client, prefix, monkeypatch):
    monkeypatch.setattr(layout, "CHUNK_BYTES", 10)
    version = meta().version
    for news, sizes in ((b"x" * 25, [10, 10, 5]), (b"y" * 7, [7, 0, 0])):
        store.publish(meta(), news=news, encoder=b"e", vectors=[], clicks=[])
        assert store.news(version) == news
        assert [client.strlen(f"{prefix}v:{version}:news:{i}") for i in range(3)] == sizes


def test_damaged_news_are_refused(store, client, prefix):
    publish(store, meta())
    client.append(f"{prefix}v:{meta().version}:news:0", b"!")
    with pytest.raises(CheckpointError, match="damaged; publish it again"):
        store.news(meta().version)


def test_readers_see_whole_versions_only_while_one_is_published_again(
    store, server, prefix, monkeypatch
):
    """A thread rewrites the live version over and over; no read returns a mixture."""
    monkeypatch.setattr(layout, "CHUNK_BYTES", 1000)
    publish(store, meta())
    wholes = [bytes([letter]) * 20_000 for letter in b"abc"]
    store.publish(meta(), news=wholes[0], encoder=b"e", vectors=[], clicks=[])
    done = threading.Event()

    def rewrite():
        with Redis(unix_socket_path=str(server.socket)) as client:
            writer = RedisStore(client, name="redis", prefix=prefix)
            for turn in range(30):
                writer.publish(meta(), news=wholes[turn % 3], encoder=b"e", vectors=[], clicks=[])
        done.set()

    thread = threading.Thread(target=rewrite)
    thread.start()
    seen = set()
    while not done.is_set():
        try:
            seen.add(store.news(meta().version))
        except CheckpointError as error:  # three reads in a row were overtaken: said, not served
            assert "damaged" in str(error)
    thread.join()
    assert seen <= set(wholes)
    assert seen


def test_a_publish_killed_in_the_middle_shows_nothing_and_can_be_repeated(
    store, server, prefix, keys
):
    publish(store, meta(1))
    script = f"""
        import sys, time
        from redis import Redis
        from recsys.store.redis import RedisStore
        from tests.store.contract import ONES, USERS, meta
        def slow():
            yield USERS, ONES
            print("half", flush=True)
            time.sleep(60)
        client = Redis(unix_socket_path={str(server.socket)!r})
        RedisStore(client, name="redis", prefix={prefix!r}).publish(
            meta(2), news=b"n" * 10, encoder=b"e", vectors=slow(), clicks=[])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE
    ) as publisher:
        assert publisher.stdout.readline() == b"half\n"
        publisher.send_signal(signal.SIGKILL)
    assert "s:00000002:u:u1" in keys()
    assert store.versions() == [meta(1)]
    assert store.live() == meta(1).version
    with pytest.raises(VersionNotFound):
        store.activate(meta(2).version)
    publish(store, meta(2), users=["u9"], rows=ONES[:1])
    assert store.live() == meta(2).version
    assert set(store.vectors(meta(2), ["u1", "u9"])) == {"u9"}


def test_a_space_that_is_being_written_is_pruned_only_when_abandoned(store, clock, keys):
    def broken():
        yield USERS, ONES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.publish(meta(1), news=b"", encoder=b"", vectors=broken(), clicks=[])
    store.prune(1)
    assert "s:00000001:u:u1" in keys()
    clock.now += 3601
    store.prune(1)
    assert keys() == []


def test_pruning_leaves_nothing_of_a_version(store, keys):
    publish(store, meta(1))
    publish(store, meta(2))
    store.prune(1)
    assert not [key for key in keys() if "00000001" in key]


def test_a_prune_that_breaks_is_finished_by_a_later_one(store, clock, keys, monkeypatch):
    def lost(*_):
        raise redis.ConnectionError("lost")

    publish(store, meta(1))
    publish(store, meta(2))
    with monkeypatch.context() as patch:
        patch.setattr(store._redis, "unlink", lost)
        with pytest.raises(StoreUnavailable):
            store.prune(1)
    clock.now += 3601
    store.prune(1)
    assert not [key for key in keys() if "00000001" in key]


def test_parts_staged_by_a_publish_that_broke_expire(store, client, prefix, keys):
    with pytest.raises(StoreUnavailable, match="must be str, int, float or bytes"):
        store.publish(meta(), news=b"n", encoder=None, vectors=[], clicks=[])
    (staged,) = [key for key in keys() if ":staged:" in key]
    assert 0 < client.ttl(prefix + staged) <= 3600
    assert store.versions() == []


def test_a_publish_that_slept_until_its_parts_expired_shows_nothing(
    store, client, prefix, keys, monkeypatch
):
    """Such as on a laptop that was closed meanwhile."""
    publish(store, meta(1))
    hget = store._redis.hget

    def an_hour_later(*args):
        client.delete(*(prefix + key for key in keys() if ":staged:" in key))
        return hget(*args)

    monkeypatch.setattr(store._redis, "hget", an_hour_later)
    with pytest.raises(StoreUnavailable, match="publish it again"):
        publish(store, meta(2))
    assert store.live() == meta(1).version
    assert store.versions() == [meta(1)]


def test_what_is_published_stays(store, client, prefix, keys):
    """What is staged expires, what is in place must not."""
    publish(store, meta(), clicks=[("u1", ["n1"])])
    lasting = [key for key in keys() if not key.startswith("history:")]
    assert f"v:{meta().version}:news:0" in lasting
    assert {client.ttl(prefix + key) for key in lasting} == {-1}


def test_a_long_publish_is_not_taken_for_an_abandoned_one(store, clock):
    def slow():
        for user in ("u1", "u2", "u3"):
            yield [user], ONES[:1]
            clock.now += 2_000
            store.prune(1)

    store.publish(meta(), news=b"n", encoder=b"e", vectors=slow(), clicks=[])
    assert set(store.vectors(meta(), ["u1", "u2", "u3"])) == {"u1", "u2", "u3"}


def test_a_version_published_again_while_it_is_pruned_keeps_its_vectors(store):
    """The other publish, which prunes, ends while this one is writing."""

    def again():
        yield ["u1"], ONES[:1]
        store.prune(1)
        yield ["u2"], ONES[:1]

    publish(store, meta(1))
    publish(store, meta(2))
    store.publish(meta(1), news=b"n", encoder=b"e", vectors=again(), clicks=[])
    assert set(store.vectors(meta(1), USERS)) == set(USERS)


# -- stamps


def test_a_vector_stamped_by_a_stranger_is_refused(store, client, prefix):
    publish(store, meta(1))
    client.set(f"{prefix}s:00000001:u:u1", bytes.fromhex("deadbeef") + bytes(6))
    with pytest.raises(SpaceMismatch, match=r"space 00000001 was written by model deadbeef"):
        store.vectors(meta(1), USERS)


def test_a_vector_of_another_length_is_refused(store, client, prefix):
    publish(store, meta(1))
    client.set(f"{prefix}s:00000001:u:u1", layout.stamp("00000001") + bytes(8))
    with pytest.raises(SpaceMismatch, match="4 numbers, expected 3"):
        store.vectors(meta(1), USERS)


def test_a_space_accepts_models_that_were_pruned_since(store):
    """Their vectors stand there still, and are compatible: only changed readers are rewritten."""
    publish(store, meta(1))
    joined = publish(store, meta(2, space=meta(1).space), ["u2"], ONES[:1])
    store.prune(1)
    assert set(store.vectors(joined, USERS)) == set(USERS)


# -- trouble


def test_an_unreachable_redis_is_named_without_its_password():
    with pytest.raises(
        StoreUnavailable, match=r"^redis://\*\*\*@127\.0\.0\.1:1/0: .*refused"
    ) as caught:
        open_store("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_redis_that_goes_away_is_unavailable(tmp_path):
    server = EmbeddedServer(str(tmp_path))
    store = open_store(f"unix://{server.socket}")
    store.report([event()])
    pid = store._redis.info("server")["process_id"]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    with pytest.raises(StoreUnavailable, match=f"unix://{server.socket}"):
        while time.monotonic() < deadline:
            store.ping()
    store.close()
    server.close()


def test_a_report_that_is_not_answered_in_time_is_not_sent_again(tmp_path, monkeypatch):
    """Redis does what it has received when it goes on, for callers that have gone as well."""
    port = free_port()
    with redis_process(tmp_path, port) as process:
        store = open_store(f"redis://127.0.0.1:{port}", timeout_seconds=0.2)
        erased = store.is_forgotten
        goes_on = threading.Timer(0.5, process.send_signal, [signal.SIGCONT])

        def then_redis_hangs(users):
            gone = erased(users)
            process.send_signal(signal.SIGSTOP)
            goes_on.start()
            return gone

        with monkeypatch.context() as patch:
            patch.setattr(store, "is_forgotten", then_redis_hangs)
            with pytest.raises(StoreUnavailable, match="Timeout"):
                store.report([event()])
        goes_on.join()
        time.sleep(0.2)
        assert len(list(store.events())) == 1
        store.close()
