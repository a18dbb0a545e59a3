"""The demo: a release under write load, watched, and every row and sequence checked afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from local.clients.journal import Journal
from local.clients.reconcile import reconcile
from local.clients.sample import create_sample
from local.clients.workload import Workload
from local.host import LocalError
from local.release import POLL_S, Release, upgrade_input
from local.reporting import seen_by_clients, write_report
from local.watching import show_mail, watch
from local.world import CLUSTER, World, world

WARM_UP_WRITES = 300
"""Acknowledged transactions before the release starts, and again after it has ended."""

TIMEOUT_S = 120.0

MINUTE_S = 2.0
"""A minute of the lag monitor: the demo is over before a real one would have passed often."""


SAMPLE_CHANGE = Path(__file__).parent / "clients" / "sample" / "change.sql"


@dataclass(frozen=True, slots=True)
class Course:
    """What the demo shows. A plain one is a release of one Region, without upgrade, changes, and the end of blue."""

    blue_version: int
    green_version: int | None = None
    secondary_region: str = ""
    changes: tuple[Path, ...] = ()
    is_rehearsed: bool = False
    ends_blue: bool = False
    approve_unasked: bool = False


def demo(console: Console, output: Path, course: Course) -> int:
    """Runs the demo, writes ``report.html`` and figures; 0 only if all of it succeeded and nothing is wrong then."""
    output.mkdir(parents=True, exist_ok=True)
    journal_path = output / "journal.jsonl"
    journal_path.unlink(missing_ok=True)
    began = time.monotonic()
    with (
        console.status("") as status,
        world(
            blue_version=course.blue_version,
            secondary_region=course.secondary_region,
            progress=_progress(console, status),
        ) as running,
    ):
        running.emulator.minute_s = MINUTE_S
        sample = create_sample(running.blue)
        workload = Workload(
            sample, running.record, running.resolver, running.aurora.port, journal=Journal(journal_path)
        )
        console.print(f"Production is [bold]shop-blue[/bold]; eight clients write to it by the name {running.record}.")
        workload.start()
        try:
            _wait_for_writes(workload, WARM_UP_WRITES)
            asked = _input(running, course)
            if course.is_rehearsed:
                _rehearse(console, status, running, workload, asked)
            release = _start(running, "StateMachineArn", asked)
            started = time.monotonic()
            console.print(f"\nRelease [bold]{release.execution_arn.rsplit(':', 1)[-1]}[/bold]\n")
            watch(console, status, release, workload, approve_unasked=course.approve_unasked)
            release_s = time.monotonic() - started
            execution = release.describe()
            if execution["status"] == "SUCCEEDED":
                status.update("a little more load, then the check of every row")
                _wait_for_writes(workload, workload.acknowledged + WARM_UP_WRITES)
        finally:
            workload.stop()
        report = _report(running, release, execution, release_s) | {"acknowledged": workload.acknowledged}
        if execution["status"] == "SUCCEEDED":
            status.update("checking every row and sequence")
            green = running.server(report["green"])
            report |= reconcile(sample, workload.journal, running.blue, green).to_report()
            report["green_version"] = green.version
        page = write_report(running, release.execution_arn, seen_by_clients(workload.journal, report), output)
        if execution["status"] == "SUCCEEDED" and course.ends_blue:
            report["end_of_blue"] = _end_blue(console, status, running, report["release_id"])
    report["demo_s"] = round(time.monotonic() - began, 1)
    path = output / "report.json"
    path.write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")
    succeeded = (
        report["status"] == "SUCCEEDED"
        and not report["findings"]
        and report["blue_refuses_writes"]
        and report.get("end_of_blue", "").startswith("deleted") >= course.ends_blue
    )
    _summarize(console, report, page, path, succeeded=succeeded)
    return 0 if succeeded else 1


def _input(running: World, course: Course) -> dict[str, Any]:
    texts = [file.read_text(encoding="utf-8") for file in course.changes]
    keys = [f"demo/{number:03} {file.name}" for number, file in enumerate(course.changes)]
    scripts = [running.put_script(*each) for each in zip(keys, texts, strict=True)]
    return {
        "requested_by": "the demo",
        "reason": "to see a release",
        "accept": ["global-endpoint"] if course.secondary_region else [],
        "changes": [{"database": "app", "script": script} for script in scripts],
        **upgrade_input(course.blue_version, course.green_version),
    }


def _start(running: World, machine: str, asked: dict[str, Any]) -> Release:
    client, arn = running.emulator.client("stepfunctions"), running.stack.outputs[machine]
    return Release.start(client, arn, asked, running.mail_folder, name=f"demo-{time.time_ns()}")


def _rehearse(console: Console, status: Status, running: World, workload: Workload, asked: dict[str, Any]) -> None:
    console.print("\nRehearsal: all of the release but the freeze and the move of the records\n")
    rehearsal = _start(running, "StateMachineArn", asked | {"mode": "rehearsal"})
    watch(console, status, rehearsal, workload, approve_unasked=True)
    for mail in rehearsal.mails():
        text = mail.body.split("\n\nExecution:")[0]
        show_mail(console, mail.subject, text)
    if failure := rehearsal.failure():
        raise LocalError(f"The rehearsal failed: {failure}")


def _end_blue(console: Console, status: Status, running: World, release_id: str) -> str:
    """What became of blue."""
    console.print("\nThe end of blue: final snapshot, out of its global cluster, deleted\n")
    run = _start(running, "DecommissionStateMachineArn", {"release_id": release_id, "end": "delete"})
    watch(console, status, run, None, approve_unasked=True)
    if failure := run.failure():
        return failure
    return f"deleted; snapshot {json.loads(run.describe()['output'])['snapshot_identifier']}"


def _progress(console: Console, status: Status) -> Callable[[str], None]:
    """Shows what is being set up, and how long each part took once the next begins."""
    state: dict[str, Any] = {"since": time.monotonic(), "what": None}

    def progress(what: str) -> None:
        if state["what"]:
            console.print(f"[dim]{state['what']}: {time.monotonic() - state['since']:.1f} s[/dim]")
        state.update(since=time.monotonic(), what=what)
        status.update(what)

    return progress


def _wait_for_writes(workload: Workload, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while workload.acknowledged < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the clients got no {count} transactions through within {TIMEOUT_S:g} s")
        time.sleep(POLL_S)


def _report(running: World, release: Release, execution: dict[str, Any], release_s: float) -> dict[str, Any]:
    output = json.loads(execution.get("output") or "{}")
    return {
        "status": execution["status"],
        "failure": release.failure(),
        "cluster": CLUSTER,
        "release_id": output.get("release_id"),
        "blue": "shop-blue",
        "green": output.get("green"),
        "blue_version": running.blue.version,
        "release_s": round(release_s, 3),
        "transitions": release.transitions,
        "freeze_to_open_ms": output.get("freeze_to_open_ms"),
        "sessions_ended": output.get("sessions_ended"),
        "findings": [],
        "missing": None,  # these are known only after a release that succeeded
        "duplicated": None,
        "sequence_conflicts": None,
        "client_write_gap_ms": None,
        "databases": {},
        "blue_refuses_writes": False,
    }


def _summarize(console: Console, report: dict[str, Any], page: Path, path: Path, *, succeeded: bool) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    rows = [
        ("status", report["status"]),
        ("transactions acknowledged", report["acknowledged"]),
        ("release", f"{report['release_s']:.1f} s, {report['transitions']} transitions; all {report['demo_s']:.0f} s"),
    ]
    if report["status"] == "SUCCEEDED":
        rows[2:2] = [
            ("missing, doubled", f"{report['missing']}, {report['duplicated']}"),
            ("sequence conflicts", report["sequence_conflicts"]),
            ("blue refuses writes", report["blue_refuses_writes"]),
            ("PostgreSQL", f"{report['blue_version']} to {report['green_version']}"),
            ("blue", report.get("end_of_blue", "is kept, and fenced")),
            ("freeze to open", _ms(report["freeze_to_open_ms"])),
            ("clients without writes", _ms(report["client_write_gap_ms"])),
        ]
    for database, counts in report["databases"].items():
        rows.append((database, f"{counts['tables']} tables, {counts['rows']} rows, {counts['sequences']} sequences"))
    for name, value in rows:
        table.add_row(name, escape(str(value)))
    console.print()
    console.print(table)
    for finding in report["findings"][:20]:
        console.print(f"[red]{escape(finding)}[/red]")
    if report["failure"]:
        console.print(f"[red]{escape(report['failure'])}[/red]")
    verdict = "[green]Nothing lost, nothing doubled.[/green]" if succeeded else "[red]Not as it should be.[/red]"
    if report["failure"].startswith("ReleaseRejected"):
        verdict = "Rejected: blue is in production as before."
    console.print(f"\n{verdict}\nReport: [bold]{page}[/bold], open it in a browser; figures: {path}")


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"
