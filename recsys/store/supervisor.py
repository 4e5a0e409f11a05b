"""The process beside an embedded redis-server: it outlives every user and stops the server.

It is run as ``python -I -S supervisor.py FOLDER SOCKET LOCK_FD COMMAND...`` and imports nothing but
the standard library, so that it is up in milliseconds. It detaches, starts the server, and then
waits for an exclusive lock on ``users.lock``, on which each user holds a shared one. The kernel
lets go of a lock when a process ends, in whatever way: the wait is over when the last user is gone.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1


def main(folder: Path, socket: Path, lock: int, command: list[str]) -> None:
    """Detach, then run the server until nobody uses it."""
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGCHLD, _child_changed)
    server = subprocess.Popen(command, pass_fds=[lock], preexec_fn=_die_with_parent)
    os.close(lock)  # from here on the server alone holds it: it is free when the server is gone
    with (folder / "users.lock").open("rb") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.terminate()  # Redis flushes its log and exits
        server.wait()
        if socket.parent != folder:  # a temporary folder of its own
            socket.unlink(missing_ok=True)
            socket.parent.rmdir()


def _child_changed(_signal: int, _frame: FrameType | None) -> None:
    if os.waitpid(-1, os.WNOHANG) != (0, 0):  # or else it was stopped, or goes on
        os._exit(1)


def _die_with_parent() -> None:
    """On Linux the server goes when its supervisor is killed: nothing runs unwatched."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
