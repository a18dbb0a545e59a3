"""Real PostgreSQL servers that look like Aurora PostgreSQL to their clients, and exact clones of them.

A server is a child process of ours, in a session of its own so that Ctrl-C in a terminal does not reach it. Its folder
holds `data`, the socket folder `s` and `server.log`, and must lie in a `local.host.WorkingFolder`, which cleans up.

Each listens on a loopback address and one more for readers, and TCP asks everybody for a SCRAM password. The bootstrap
superuser `rdsadmin`, who stands for AWS itself, comes in by the local socket only, without a password: its folder is
closed to others.

The log takes every statement and the values of its parameters on purpose, far more than Aurora would: a test that
wants to know whether a password leaked has to look in `server.log`. `rdsadmin`'s own statements are not logged.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pg8000.native

from local.host import give_to_server_account, reachable, server_account
from local.postgres.binaries import (
    START_LSN,
    ServerError,
    copy_data,
    find_binaries,
    run_program,
    template,
    usable_binaries,
)

__all__ = ["DEFAULTS", "Server", "ServerError", "find_binaries"]

DEFAULTS = {
    "dynamic_shared_memory_type": "mmap",  # files in the data folder: nothing is left in /dev/shm after a SIGKILL
    "fsync": "on",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_min_error_statement": "error",
    "log_parameter_max_length_on_error": "-1",
    "log_statement": "all",
    "max_connections": "400",  # functions that are idle keep theirs
    "max_logical_replication_workers": "16",
    "max_prepared_transactions": "10",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_worker_processes": "32",
    "password_encryption": "scram-sha-256",
    "rds.logical_replication": "on",
    "shared_buffers": "64MB",
}
"""Settings of every server; the parameters given to a server come on top of them."""

_HBA = """
local  all          rdsadmin  trust
local  replication  rdsadmin  trust
host   rdsadmin     all       all  reject
host   all          rdsadmin  all  reject
host   all          all       all  scram-sha-256
host   replication  all       all  scram-sha-256
"""

_RECOVERY = {
    "recovery_target": "immediate",
    "recovery_target_action": "promote",
    "hot_standby": "off",
    "listen_addresses": "",
    "fsync": "off",  # else recovery begins by syncing every file of the copy
    "max_logical_replication_workers": "0",  # subscriptions of the source would begin to apply in the clone too
}
"""What a server is started with once, to become a clone."""

_TIMEOUT_S = 60.0
_POLL_S = 0.005


def reader_address(address: str) -> str:
    """The second address of a server, for the reader endpoint of its cluster; reserved together with the first.

    >>> reader_address("127.0.1.7")
    '127.0.2.7'
    """
    return f"127.0.2.{address.rpartition('.')[2]}"


class Server:
    """One PostgreSQL server; made by `Server.create` or `clone`, running from then on."""

    def __init__(
        self, folder: Path, version: int, address: str, port: int, parameters: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.version = version
        self.address = address
        self.port = port
        self.behind: str | None = None
        """Where it listens instead of `address` from its next start on: a `local.postgres.link.Link` stands there."""
        self.parameters = {**DEFAULTS, **(parameters or {})}
        self.follows: Server | None = None
        """The server whose standby it is (`local.postgres.standby`)."""
        self.start_lsn: str | None = None
        """On a clone: it holds what blue committed before this position and nothing from there on."""
        self.data = folder / "data"
        self.sockets = folder / "s"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<Server {self.folder.name}, PostgreSQL {self.version}, {self.address}:{self.port}>"

    @classmethod
    def create(
        cls, folder: Path, version: int, address: str, port: int, parameters: Mapping[str, str] | None = None
    ) -> Server:
        """A new server in `folder`, which must not exist; it runs when this returns."""
        server = cls(folder, version, address, port, parameters)
        server._make_folder()
        copy_data(template(version), server.data)
        server.start()
        return server

    def _make_folder(self) -> None:
        for folder in (self.folder, self.sockets):
            folder.mkdir(mode=0o700)
        give_to_server_account(self.folder, self.sockets)
        if not reachable(self.folder):
            raise ServerError(
                f"the servers' account cannot enter {self.folder}: make servers in a local.host.WorkingFolder"
            )

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until connections are accepted; nothing happens if the server runs."""
        with self._lock:
            if not self.running:
                listen = f"{self.behind or self.address},{reader_address(self.address)}"
                self._launch({"listen_addresses": listen, "port": str(self.port)})

    def _launch(self, settings: Mapping[str, str]) -> None:
        """Start with settings on top of the server's own and wait until it is ready, out of recovery."""
        logical = self.parameters["rds.logical_replication"] in ("1", "on")
        effective = {
            **self.parameters,
            "rds.logical_replication": "on" if logical else "off",  # as SHOW has it; the parameter group says 1 or 0
            "wal_level": "logical" if logical else "replica",
            "unix_socket_directories": str(self.sockets),
            **({START_LSN: self.start_lsn} if self.start_lsn else {}),
            **settings,
        }
        quoted = {name: value.replace("'", "''") for name, value in effective.items()}
        (self.data / "postgresql.auto.conf").write_text("".join(f"{k} = '{v}'\n" for k, v in quoted.items()))
        (self.data / "pg_hba.conf").write_text(_HBA)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [usable_binaries(self.version) / "postgres", "-D", self.data],
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **server_account(),
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """Wait as pg_ctl does: the last line of postmaster.pid says `ready` after recovery, and promotion if any."""
        assert self._process
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            with suppress(FileNotFoundError):
                lines = (self.data / "postmaster.pid").read_text().split("\n")
                if lines[0] == str(self._process.pid) and len(lines) > 7 and lines[7].strip() == "ready":
                    return
            if not self.running:
                raise ServerError(self._describe("ended while starting"))
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(self._describe(f"was not ready within {_TIMEOUT_S:g} s"))
            time.sleep(_POLL_S)

    def _describe(self, problem: str) -> str:
        log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        return f"{self} {problem}; end of its log:\n{log}"

    def stop(self, mode: str = "fast") -> None:
        """Shut down: `fast` ends the sessions and writes a checkpoint, `immediate` is like a crash of the instance."""
        with self._lock:
            if not self.running:
                return
            assert self._process
            self._process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
            try:
                self._process.wait(_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise ServerError(self._describe(f"did not stop within {_TIMEOUT_S:g} s and was killed")) from None

    def kill(self) -> None:
        """SIGKILL to the server and every process of it, as when the machine dies; `start` then recovers.

        Stopped first, the parent can make no more children while they are looked up. Left to themselves, they
        would notice the parent's death late, and hold the shared memory that a new start wants.
        """
        with self._lock:
            if not self.running:
                return
            assert self._process
            pid = self._process.pid
            os.kill(pid, signal.SIGSTOP)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for process in [pid, *map(int, children)]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.wait()

    def restart(self, mode: str = "fast") -> None:
        """Stop and start."""
        with self._lock:
            self.stop(mode)
            self.start()

    def remove(self) -> None:
        """Stop at once and delete the folder; a server that was killed starts once more, to free its shared memory."""
        with suppress(ServerError):
            if not self.running and (self.data / "postmaster.pid").exists():
                self.start()
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(
        self, database: str = "postgres", user: str = "rdsadmin", password: str | None = None, options: str = ""
    ) -> pg8000.native.Connection:
        """A connection in autocommit: `rdsadmin` by the socket, everybody else over TCP with a password.

        The socket is ours, because pg8000 forgets its own when the server goes away at the wrong moment.
        """
        if user == "rdsadmin":
            link = socket.socket(socket.AF_UNIX)
            place: Any = str(self.sockets / f".s.PGSQL.{self.port}")
        else:
            link, place = socket.socket(), (self.address, self.port)
        try:
            link.settimeout(_TIMEOUT_S)
            link.connect(place)
            return pg8000.native.Connection(
                user, database=database, password=password, sock=link, startup_params={"options": options}
            )
        except BaseException:
            link.close()
            raise

    def execute(self, database: str, sql: str, **parameters: Any) -> list[list[Any]]:
        """Run SQL as `rdsadmin`, `:name` taking the parameter of that name; several statements if there are none."""
        connection = self.connect(database)
        try:
            return list(connection.run(sql, **parameters) or [])
        finally:
            connection.close()

    def clone(
        self,
        folder: Path,
        address: str,
        *,
        port: int | None = None,
        parameters: Mapping[str, str] | None = None,
        start: bool = True,
    ) -> Server:
        """A copy of this server as of one instant, `start_lsn`, as Aurora's copy-on-write clone is one.

        Exactly the transactions whose commit record lies before `start_lsn` are in the clone: recovery of a base
        backup ends at the first position where the copy is consistent, and promotion there throws away what was open.
        `aurora_volume_logical_start_lsn()` returns that position there, after a restart too.

        A base backup leaves out replication slots, a clone in Aurora has them, with the positions that they had on
        the source: their states come along, so that dropping the copies is a real step.

        `parameters` replaces those of the source. With `start=False` the clone is complete and stopped, like a
        cluster without an instance.
        """
        slots = {state.parent.name: state.read_bytes() for state in (self.data / "pg_replslot").glob("*/state")}
        clone = Server(folder, self.version, address, port or self.port, self.parameters)
        clone._make_folder()
        source = ["--host", str(self.sockets), "--port", str(self.port), "--username=rdsadmin"]
        backup = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata", str(clone.data)]
        run_program(self.version, "pg_basebackup", *source, *backup)
        signal_file = clone.data / "standby.signal"  # recovery begins a new timeline; promotion removes the file
        signal_file.touch()
        give_to_server_account(signal_file)
        clone._launch({**_RECOVERY, "port": str(clone.port)})
        [[clone.start_lsn]] = clone.execute("rdsadmin", "SELECT pg_last_wal_replay_lsn()")
        clone.stop()
        for name, state in slots.items():
            place = clone.data / "pg_replslot" / name
            place.mkdir(mode=0o700)
            (place / "state").write_bytes(state)
            give_to_server_account(place, place / "state")
        if parameters is not None:
            clone.parameters = {**DEFAULTS, **parameters}
        if start:
            clone.start()
        return clone
