"""What a run takes from the machine and gives back: an account for servers, a working folder, loopback addresses.

All that a run leaves behind (processes of PostgreSQL, files) hangs on a `WorkingFolder`: a small shell outside our
process group waits at the other end of a pipe. When the pipe closes, for whatever reason (normal end, Ctrl-C, SIGTERM,
even SIGKILL), it stops the servers of the folder and removes it. There is no signal handler that could be forgotten.
"""

from __future__ import annotations

import atexit
import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_REAPER = """
cat >/dev/null  # ends when the process that holds the other end does
find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do
    pid=$(head -n 1 "$file")
    # a process of another run may have the number of a server that was killed: ask for the folder in its command line
    grep -qsF "$1" "/proc/$pid/cmdline" && kill -QUIT "$pid"
done
for attempt in 1 2 3 4 5 6 7 8 9; do rm -rf "$1" 2>/dev/null && exit; sleep 0.2; done
"""

REGION = "eu-west-2"
"""Where the emulator pretends to be, and blue with it."""

_LONGEST_PATH = 40  # of a working folder; the path of a socket in it may have 107 bytes


class LocalError(Exception):
    """A local run cannot go on; the message says why, and the way out."""


class HostError(LocalError):
    """The machine lacks something that a local run needs; the message says what, and the way out."""


@cache
def server_account() -> dict[str, Any]:
    """Keyword arguments for `subprocess` that run a child as somebody PostgreSQL accepts.

    PostgreSQL refuses to run as root; root's servers run as `nobody`, everybody else's as themselves. No `su` or
    `sudo`: they may be missing, ask for a password or start a login shell.
    """
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("nobody")
    except KeyError:
        raise HostError(
            "root cannot run PostgreSQL and there is no account `nobody`: run as an ordinary user"
        ) from None
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give_to_server_account(*paths: Path) -> None:
    """Make files or folders belong to the account of `server_account`."""
    if account := server_account():
        for path in paths:
            os.chown(path, account["user"], account["group"])


def reachable(folder: Path) -> bool:
    """Whether the servers' account can enter a folder: only trying it answers for mounts and access lists as well."""
    enter = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    return subprocess.run(enter, cwd="/", stderr=subprocess.DEVNULL, check=False, **server_account()).returncode == 0


class WorkingFolder:
    """A new folder with a short path that servers can reach and that goes away.

    `close()` stops every server whose data lies in the folder and removes it; so does the end of this process.
    """

    def __init__(self) -> None:
        self.path = _new_folder()
        self._reaper = subprocess.Popen(
            ["/bin/sh", "-c", _REAPER, "sh", str(self.path)], stdin=subprocess.PIPE, cwd="/", start_new_session=True
        )
        atexit.register(self.close)

    def close(self) -> None:
        """Stop the servers and remove the folder; returns when that is done, and may be called again."""
        atexit.unregister(self.close)
        assert self._reaper.stdin
        self._reaper.stdin.close()
        self._reaper.wait(timeout=60)


def _new_folder() -> Path:
    candidates = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 (only parents of a folder that mkdtemp makes)
    for parent in candidates:
        folder = Path(tempfile.mkdtemp(prefix="bluegreen-", dir=parent))
        folder.chmod(0o711)  # servers pass through to their own folders; nobody else sees what there is
        if len(os.fsencode(folder)) <= _LONGEST_PATH and reachable(folder):
            return folder
        folder.rmdir()
    raise HostError(f"servers cannot work in any of {', '.join(candidates)}: set TMPDIR to a folder open to everybody")


@contextmanager
def working_folder() -> Iterator[Path]:
    """The path of a `WorkingFolder` for the length of a `with` block."""
    folder = WorkingFolder()
    try:
        yield folder.path
    finally:
        folder.close()


def reserve_address(port: int = 0) -> socket.socket:
    """A loopback address that no other run uses on `port` (0: a free one); `getsockname()` of the result tells both.

    The socket is the reservation: keep it as long as the address must stay ours. It is bound without SO_REUSEADDR, so
    that two reservations exclude each other, and gets the option afterwards: a server, which sets it too, may then
    bind the same address, since nobody listens on the reservation. 127.0.0.1 is left to others.
    """
    for last in range(1, 255):
        reservation = socket.socket()
        try:
            reservation.bind((f"127.0.1.{last}", port))
        except OSError:
            reservation.close()
            continue
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return reservation
    raise HostError(f"port {port} is taken on 127.0.1.1 to 127.0.1.254: stop what listens there or choose another port")
