import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from pipelines import serve
from pipelines.cli import run
from recsys.client import RankerClient
from recsys.serving.settings import ServeSettings
from recsys.store.connect import open_store
from tests.serving import world

ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
INSPECTED = """
import os, signal, sys, threading
from pipelines import cli

def leave():
    sys.stdin.readline()
    print(sorted({"pandas", "pyarrow", "torchrec", "fbgemm_gpu", "sklearn"} & set(sys.modules)))
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=leave).start()
sys.argv[1:] = ["serve", "--redis", sys.argv[1], "--port", "0", "--device", "cpu"]
cli.main()
"""


@contextmanager
def started(*command):
    """A process of its own with pipes; killed when it does not end by itself."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(stream, text):
    """Read up to the line that says ``text``."""
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}")


def test_serving_needs_neither_tables_nor_training(tmp_path):
    """The real entry point, asked over the wire, then inspected from within."""
    url = f"embedded://{tmp_path}/store"
    store = open_store(url)
    world.publish(store)
    with started("-c", INSPECTED, url) as server:
        address = ADDRESS.search(line_with(server.stderr, "ready on")).group()
        with RankerClient(address, timeout_s=60) as client:
            assert client.rank("ann", history_ids=["N7"]).rung == "session"
        imported, _ = server.communicate("now\n", timeout=60)
    store.close()
    assert imported == "[]\n"
    assert server.returncode == 0


def test_a_server_waits_for_the_first_version_and_stops_when_told(tmp_path):
    url = f"embedded://{tmp_path}/store"
    with started("-m", "pipelines.cli", "serve", "--redis", url, "--port", "0") as server:
        waiting = line_with(server.stderr, "waiting, because no version answers yet")
        assert f"recsys publish RUN --redis {url}" in waiting
        store = open_store(url)
        meta = world.publish(store)
        ready = line_with(server.stderr, "ready on")
        assert meta.version in ready
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=60)
        store.close()
    assert server.returncode == 0
    assert "stopping" in rest


def test_a_store_that_hangs_is_given_up_within_the_grace_of_a_stop():
    assert ServeSettings().grace_seconds > serve.STORE_SECONDS


def one_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "70000"], "port (--port or RECSYS_PORT): "),
        (["--explore", "2"], "explore (--explore or RECSYS_EXPLORE): "),
        (["--device", "tpu"], "device (--device or RECSYS_DEVICE): "),
        (["--redis", "redis://127.0.0.1:1/0"], "redis://127.0.0.1:1/0: "),
        (["--redis", "mysql://there"], "'mysql://there' is no store: "),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(capsys, arguments, says):
    assert run(["serve", *arguments]) == 2
    assert one_line(capsys).startswith(f"recsys: {says}")


def test_a_port_in_use_is_one_line_and_exit_code_2(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = run(["serve", "--redis", f"embedded://{tmp_path}/store", "--port", str(port)])
    assert code == 2
    assert one_line(capsys) == (
        f"recsys: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another with --host or --port"
    )


def test_half_of_tls_is_one_line_and_exit_code_2(capsys, tmp_path):
    code = run(["serve", "--redis", f"embedded://{tmp_path}/store", "--tls-cert", "cert.pem"])
    assert code == 2
    assert "tls_cert, tls_key: set both" in one_line(capsys)
