"""How fast two databases are proven equal: against what one statement on both sides takes, and against peers."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import peers
from bluegreen.postgres import SETTINGS
from bluegreen.session import Session
from bluegreen.verify import whole
from bluegreen.verify.tables import Side
from local.dsn import Dsn
from local.host import WorkingFolder, reserve_address
from local.postgres.roles import create_role
from local.postgres.servers import Server

AIM = 0.8
VERSIONS = (16, 18)
TABLE = "pgbench_accounts"
FLOOR = f"SELECT sum(hash_record_extended(t, 0)::numeric) FROM {TABLE} t"  # noqa: S608
SETTINGS_OF_SERVERS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "log_statement": "none",
    "fsync": "off",
}

# as pgbench -i makes it, whose program is not part of the wheels
FILL = f"""
CREATE TABLE {TABLE} (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
INSERT INTO {TABLE} SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, {{rows}}) n;
ALTER TABLE {TABLE} ADD PRIMARY KEY (aid);
"""  # noqa: S608

Progress = Callable[[str], None]


@dataclass(slots=True)
class Results:
    """Seconds of every run, on the same two servers."""

    rows: int
    floors_s: list[float] = field(default_factory=list)
    ours_s: list[float] = field(default_factory=list)
    peers_s: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    found: dict[str, bool] = field(default_factory=dict)
    """Who found the three planted differences, and no more."""

    def rate(self, seconds: list[float]) -> float:
        """Rows per second, of the median.

        >>> Results(100).rate([1.0, 2.0, 8.0])
        50.0
        """
        return self.rows / statistics.median(seconds)

    @property
    def ratio(self) -> float:
        """Our rate to the floor's; at least `AIM` is the aim."""
        return self.rate(self.ours_s) / self.rate(self.floors_s)

    @property
    def reached(self) -> bool:
        """Whether all aims were."""
        ahead = all(self.rate(self.ours_s) > self.rate(runs) for runs in self.peers_s.values())
        return self.ratio >= AIM and ahead and self.found["ours"]

    def to_report(self) -> dict[str, Any]:
        """All of it, for a file."""
        rates = {name: self.rate(runs) for name, runs in [("floor", self.floors_s), ("ours", self.ours_s)]}
        rates |= {name: self.rate(runs) for name, runs in self.peers_s.items()}
        return asdict(self) | {"rows_per_s": rates, "ratio": self.ratio}


@contextmanager
def pair(rows: int) -> Iterator[tuple[Server, Server, str]]:
    """Two servers with the same table, warm, and the password of the role `bench`."""
    password = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        folder = WorkingFolder()
        stack.callback(folder.close)
        made = []
        for version in VERSIONS:
            address, port = stack.enter_context(reserve_address()).getsockname()
            server = Server.create(folder.path / f"pg{version}", version, address, port, SETTINGS_OF_SERVERS)
            stack.callback(server.remove)
            create_role(server, "bench", password, options="SUPERUSER")
            server.execute("postgres", "CREATE DATABASE app")
            made.append(server)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: _fill(dsn(server, password), rows), made))
        yield made[0], made[1], password


def measure(rows: int, runs: int, workers: int, progress: Progress) -> Results:
    """Floor and ours in turns, then peers, then who finds what differs."""
    results = Results(rows, left_out=dict(peers.LEFT_OUT))
    progress(f"making {rows:,} rows on PostgreSQL {VERSIONS[0]} and {VERSIONS[1]}")
    with pair(rows) as (blue, green, password):
        ends = (dsn(blue, password), dsn(green, password))
        _floor(ends)
        for number in range(runs):
            progress(f"floor and ours, run {number + 1} of {runs}")
            results.floors_s.append(_floor(ends))
            report = compare(ends, rows, workers)
            if report.rows != rows or report.found:
                raise RuntimeError(f"equal tables are reported as different: {report}")
            results.ours_s.append(report.elapsed_s)
        programs = {}
        for peer in peers.PEERS:
            progress(f"installing {peer.name}")
            if program := peer.install():
                programs[peer] = program
            else:
                results.left_out[peer.name] = "it cannot be installed here"
        for peer, program in programs.items():
            for number in range(runs):
                progress(f"{peer.name}, run {number + 1} of {runs}")
                results.peers_s.setdefault(peer.name, []).append(peers.run(peer, program, *ends, TABLE).seconds)
        planted = plant(green, rows)
        progress("three rows differ")
        found = {int(d.key[0]) for found in compare(ends, rows, workers).found for d in found.comparison.differences}
        results.found["ours"] = found == planted
        for peer, program in programs.items():
            results.found[peer.name] = peers.run(peer, program, *ends, TABLE).keys == planted
    return results


def _fill(end: Dsn, rows: int) -> None:
    connection = end.connect({})
    connection.run(FILL.format(rows=rows))
    connection.run(f"VACUUM (FREEZE, ANALYZE) {TABLE}")
    connection.close()


def dsn(server: Server, password: str) -> Dsn:
    """The way to a server of `pair`."""
    return Dsn(server.address, server.port, "bench", "app", password, "disable")


def _floor(ends: tuple[Dsn, Dsn]) -> float:
    """Seconds of the statement on both sides at once, connections not counted."""
    connections = [end.connect({}) for end in ends]
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda connection: connection.run(FLOOR), connections)
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    if one != other:
        raise RuntimeError("the tables are not the same")
    return seconds


def compare(ends: tuple[Dsn, Dsn], rows: int, workers: int) -> whole.Report:
    """A whole run as `python -m local verify` does it, catalogs and connections included."""

    def connect(side: Side) -> Session:
        return Session(ends[side].connect(SETTINGS), f"side {side}")

    began = time.monotonic()
    report = whole.Run(connect, workers)(whole.catalog_of(connect))
    report.elapsed_s = time.monotonic() - began
    return report


def plant(green: Server, rows: int) -> set[int]:
    """One bit of a row in the middle, a missing row, a row too many; returns their keys."""
    changed, missing, extra = rows // 2, rows // 4, rows + 1
    green.execute("app", f"UPDATE {TABLE} SET abalance = 1 WHERE aid = {changed}")  # noqa: S608
    green.execute("app", f"DELETE FROM {TABLE} WHERE aid = {missing}")  # noqa: S608
    green.execute("app", f"INSERT INTO {TABLE} VALUES ({extra}, 1, 0, '')")  # noqa: S608
    return {changed, missing, extra}
