"""The client's write gap of a whole release, against a switchover by hand and empty function tasks in the same run."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import application, floor, path
from benchmarks.application import WRITER, Application, Size
from benchmarks.clients import Clients, Settings, Written, gap_ms
from benchmarks.empty import EmptyTasks
from benchmarks.timeline import Span, function_times_ms, spans
from local.postgres.servers import Server
from local.release import Release
from local.world import World, world

AIM = 1.25
PROPAGATION_AIM = 1.1
EXECUTIONS = 3
"""Of the empty tasks, in each run."""

STEADY_S = 1.0
"""How long clients write undisturbed before a switchover begins and after it has ended."""

TIMEOUT_S = 300.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Switchover:
    """One release's switchover, in milliseconds; `timeline` begins with the last write on blue."""

    client_write_gap_ms: float
    freeze_to_open_ms: float
    opened_to_first_write_ms: float
    rows: int
    lost: int
    timeline: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ByHand:
    """One switchover by hand, in milliseconds."""

    client_write_gap_ms: float
    parts: dict[str, float]


@dataclass(slots=True)
class Results:
    """What was measured; the aims are properties of it."""

    tasks: list[str]
    floors: list[ByHand] = field(default_factory=list)
    empty_ms: list[float] = field(default_factory=list)
    switchovers: list[Switchover] = field(default_factory=list)
    propagation_ms: float = 0.0
    propagated: list[Switchover] = field(default_factory=list)

    @property
    def floor_ms(self) -> float:
        return statistics.median(run.client_write_gap_ms for run in self.floors)

    @property
    def e_ms(self) -> float:
        return statistics.median(self.empty_ms)

    @property
    def gap_ms(self) -> float:
        return statistics.median(run.client_write_gap_ms for run in self.switchovers)

    @property
    def ratio(self) -> float:
        """The gap, as a multiple of what a floor and as many empty tasks would take; at most `AIM` is the aim.

        >>> results = Results(["A", "B"], [ByHand(20.0, {})], [10.0], [Switchover(60.0, 0, 0, 0, 0)])
        >>> results.ratio
        1.5
        """
        return self.gap_ms / (self.floor_ms + len(self.tasks) * self.e_ms)

    @property
    def propagated_gap_ms(self) -> float:
        return statistics.median(run.client_write_gap_ms for run in self.propagated)

    @property
    def propagation_ratio(self) -> float:
        """The gap as a multiple of the propagation; at most `PROPAGATION_AIM` is the aim."""
        return self.propagated_gap_ms / self.propagation_ms

    def to_report(self) -> dict[str, Any]:
        """All of it, for a file."""
        figures = ["tasks", "floor_ms", "e_ms", "gap_ms", "ratio"]
        if self.propagated:
            figures += ["propagation_ms", "propagated_gap_ms", "propagation_ratio"]
        return {name: getattr(self, name) for name in figures} | {
            "runs": asdict(self),
            "aims": {"ratio": AIM, "propagation_ratio": PROPAGATION_AIM},
        }


def measure(runs: int, propagated_runs: int, propagation_s: float, progress: Progress) -> Results:
    """Floor, empty tasks and release in turn, `runs` times; then releases with a propagation that takes time."""
    results = Results(path.critical_path(path.load(), "FreezeBlue", "OpenGreen"))
    size = Size()
    with bench(size) as (running, built):
        empty = EmptyTasks(running.emulator)
        blue = running.blue
        for number in range(runs):
            progress(f"run {number + 1} of {runs}: by hand")
            results.floors.append(_by_hand(running, number, size))
            progress(f"run {number + 1} of {runs}: release")
            run, blue, empty_ms = release(running, built, blue, empty)
            results.switchovers.append(run)
            results.empty_ms += empty_ms
        running.emulator.propagation_s = propagation_s
        results.propagation_ms = 1000 * propagation_s
        for number in range(propagated_runs):
            progress(f"propagation of {propagation_s:g} s, run {number + 1} of {propagated_runs}")
            run, blue, _ = release(running, built, blue, None)
            results.propagated.append(run)
    return results


@contextmanager
def bench(size: Size) -> Iterator[tuple[World, Application]]:
    """A world with an application of that size; a record is served at once."""
    workers = dict.fromkeys(("max_logical_replication_workers", "max_replication_slots", "max_wal_senders"), "40")
    with world(
        databases=size.names,
        latency_s=0.1,
        propagation_s=0.0,
        record_ttl_s=2,
        parameters=workers | {"max_worker_processes": "64", "max_connections": "500"},
        overrides={"more_records": []},
    ) as running:
        running.emulator.retry_scale = 0.1
        yield running, application.create(running.blue, size)


def release(
    running: World, built: Application, blue: Server, empty: EmptyTasks | None
) -> tuple[Switchover, Server, list[float]]:
    """A release of whatever is production; also the server that is, afterwards, and what the empty tasks took."""
    clients = start_clients(running, running.record, built)
    try:
        clients.wait_for(blue.address)
        name = f"bench-{time.time_ns()}"
        started = Release.start(
            running.emulator.client("stepfunctions"),
            running.stack.outputs["StateMachineArn"],
            {"requested_by": "the benchmark", "reason": "to measure"},
            running.mail_folder,
            name,
        )
        started.wait_for_approval_request(TIMEOUT_S)
        empty_ms = empty.measure_ms(EXECUTIONS) if empty else []
        time.sleep(STEADY_S)
        started.answer("approve")
        if ended(started)["status"] != "SUCCEEDED":
            raise RuntimeError(f"the release failed: {started.failure()}")
        output = json.loads(started.describe()["output"])
        green = running.server(output["green"])
        clients.wait_for(green.address)
        time.sleep(STEADY_S)
        written = clients.stop()
    finally:
        clients.kill()
    summary = _switchover(running, started, output, written, blue, green)
    blue.stop()  # the next release must not share the machine with it
    return summary, green, empty_ms


def start_clients(running: World, record: str, built: Application) -> Clients:
    """The clients of a database, by the name of its record."""
    reach = Settings(
        record=record,
        dns_host=running.dns.host,
        dns_port=running.dns.port,
        port=running.aurora.port,
        database="app",
        role=WRITER,
        password=built.passwords[WRITER],
        first=time.time_ns(),
    )
    return Clients(reach)


def ended(started: Release, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Asks seldom: whoever asks the emulator takes processor time from it."""
    deadline = time.monotonic() + timeout_s
    while (described := started.describe())["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError("the release did not end")
        time.sleep(0.5)
    return described


def _switchover(
    running: World, started: Release, output: dict[str, Any], written: list[Written], blue: Server, green: Server
) -> Switchover:
    zero = max(row.at for row in written if row.address == blue.address)
    first = min(row.at for row in written if row.address == green.address)
    functions_ms = function_times_ms(running.emulator.folder / "logs", output["release_id"])
    timeline = [
        span
        for span in spans(started._history(), functions_ms, zero)
        if span.left_ms > -50 and span.entered_ms < 1000 * (first - zero)
    ]
    opened = max(span.left_ms for span in timeline if span.state == "OpenGreen")
    kept = green.execute("app", "SELECT client, number FROM written")
    acknowledged = {(row.client, row.number) for row in written}
    return Switchover(
        client_write_gap_ms=gap_ms(written, blue.address, green.address),
        freeze_to_open_ms=output["freeze_to_open_ms"],
        opened_to_first_write_ms=1000 * (first - zero) - opened,
        rows=len(written),
        lost=len(acknowledged - {(client, number) for client, number in kept}),
        timeline=timeline,
    )


def _by_hand(running: World, number: int, size: Size) -> ByHand:
    pair = floor.prepare(running, number, size)
    try:
        clients = start_clients(running, pair.record, pair.application)
        try:
            clients.wait_for(pair.blue.address)
            with pair.connections() as (blue, green):
                time.sleep(STEADY_S)
                parts = floor.switch_over(running, pair, blue, green)
            clients.wait_for(pair.green.address)
            written = clients.stop()
        finally:
            clients.kill()
    finally:
        for server in (pair.green, pair.blue):
            server.remove()
    return ByHand(gap_ms(written, pair.blue.address, pair.green.address), parts)


def save(report: dict[str, Any], output: Path) -> None:
    """Write a report."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")
