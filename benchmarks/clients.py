"""Eight clients that write one row per transaction, in a process of their own, as an application is one.

Started by `Clients`, which sends the settings as one line of JSON and ends it by closing the pipe. Each client has one
connection to the address that the name has at that moment, numbers its rows, and notes when and by which server each
was acknowledged. A client that lost its session asks for the address again, without a cache, and tries until it is in.
"""

from __future__ import annotations

import json
import queue
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from pg8000.native import Connection, DatabaseError, InterfaceError

from local.aws.dns import Resolver

CLIENTS = 8
RATE = 50.0
"""Rows per second of each client."""

_PAUSE_S = 0.2
"""A client tries again after a random time up to this: one of them comes every 13 ms or so, by hand as in a release,
and what refusals cost (5 ms of processor time each) takes little from those who work on the switchover."""

_FAILURES = (OSError, InterfaceError, DatabaseError)
_WAIT_S = 120.0
_PRINTING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Settings:
    """How the clients reach their database."""

    record: str
    dns_host: str
    dns_port: int
    port: int
    database: str
    role: str
    password: str = field(repr=False)
    first: int
    """The number of each client's first row; those below it are there from other clients before."""


class Written(NamedTuple):
    """A row whose commit was acknowledged: by which server, when (seconds since 1970), of which client, its number."""

    address: str
    at: float
    client: int
    number: int


class Client(threading.Thread):
    """One client; numbers go on where an unacknowledged row left a hole."""

    def __init__(self, number: int, settings: Settings, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.written: list[Written] = []
        self.crash: Exception | None = None
        self._settings = settings
        self._stopping = stopping
        self._address = ""

    def run(self) -> None:
        try:
            self._work()
        except Exception as crash:  # noqa: BLE001 (whatever it is, the process must not end well)
            self.crash = crash

    def _work(self) -> None:
        while not self._stopping.is_set():
            with suppress(*_FAILURES):
                connection = self._connect()
                with suppress(*_FAILURES):
                    self._write(connection)
                with suppress(*_FAILURES):
                    connection.close()
            self._stopping.wait(random.uniform(0, _PAUSE_S))  # noqa: S311 - no secret

    def _connect(self) -> Connection:
        settings = self._settings
        # A resolver of its own each time: what a TTL of zero means.
        self._address = Resolver(settings.dns_host, settings.dns_port).resolve(settings.record)
        return Connection(
            settings.role,
            host=self._address,
            port=settings.port,
            database=settings.database,
            password=settings.password,
            timeout=10,
            ssl_context=False,
        )

    def _write(self, connection: Connection) -> None:
        insert = connection.prepare("INSERT INTO written (client, number) VALUES (:client, :number)")
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / RATE, time.monotonic() - 0.1)  # after a delay, make up for a moment at most
            number = self._settings.first + len(self.written)
            insert.run(client=self.number, number=number)
            if not self.written or self.written[-1].address != self._address:
                with _PRINTING:
                    print(self._address, flush=True)
            self.written.append(Written(self._address, time.time(), self.number, number))


def main() -> int:
    """What the process does."""
    settings = Settings(**json.loads(sys.stdin.readline()))
    stopping = threading.Event()
    clients = [Client(number, settings, stopping) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    sys.stdin.read()
    stopping.set()
    for client in clients:
        client.join(20)
        if client.crash:
            raise client.crash
    print(json.dumps([row for client in clients for row in client.written]))
    return 0


class Clients:
    """The process with the clients, seen from outside."""

    def __init__(self, settings: Settings) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        stdin, stdout = self._pipes()
        threading.Thread(target=self._read, args=(stdout,), daemon=True).start()
        stdin.write(json.dumps(asdict(settings)) + "\n")
        stdin.flush()

    def wait_for(self, address: str) -> None:
        """Until all clients write to an address."""
        for _ in range(CLIENTS):
            while (line := self._lines.get(timeout=_WAIT_S)) != address:
                if not line:
                    raise RuntimeError(f"the clients ended before they reached {address}")

    def stop(self) -> list[Written]:
        """End the clients; all that was acknowledged to them, in the order in which it was."""
        stdin, _ = self._pipes()
        with suppress(BrokenPipeError):
            stdin.close()
        line = ""
        while not line.startswith("["):
            line = self._lines.get(timeout=_WAIT_S)
            if not line:
                raise RuntimeError("the clients ended badly")
        self._process.wait(_WAIT_S)
        return sorted((Written(*row) for row in json.loads(line)), key=lambda row: row.at)

    def kill(self) -> None:
        """For the way out of an error; does nothing after `stop`."""
        self._process.kill()
        self._process.wait()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._lines.put(line.strip())
        self._lines.put("")


def gap_ms(written: list[Written], blue: str, green: str) -> float:
    """From the last row that blue acknowledged to the first that green did.

    >>> gap_ms([Written("b", 1.0, 0, 0), Written("b", 1.5, 1, 0), Written("g", 1.75, 0, 1)], "b", "g")
    250.0
    """
    last = max(row.at for row in written if row.address == blue)
    first = min(row.at for row in written if row.address == green)
    return 1000 * (first - last)


if __name__ == "__main__":
    sys.exit(main())
