"""The demo: a release under write load, watched, and every row and sequence checked afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.status import Status
from rich.table import Table

from local.clients.journal import Journal
from local.clients.reconcile import reconcile
from local.clients.sample import create_sample
from local.clients.workload import Workload
from local.release import POLL_S, Mail, Release, Step, upgrade_input
from local.world import CLUSTER, World, world

WARM_UP_WRITES = 300
"""Acknowledged transactions before the release starts, and again after it has ended."""

TIMEOUT_S = 120.0


SAMPLE_CHANGE = Path(__file__).parent / "clients" / "sample" / "change.sql"


def put_changes(running: World, files: Sequence[Path] | None) -> list[dict[str, str]]:
    """The input's changes: these files, or the sample when there are none; nothing when None was asked for."""
    if files is None:
        return []
    chosen = list(files) or [SAMPLE_CHANGE]
    texts = [file.read_text(encoding="utf-8") for file in chosen]
    keys = [f"demo/{number:03} {file.name}" for number, file in enumerate(chosen)]
    return [{"database": "app", "script": running.put_script(*each)} for each in zip(keys, texts, strict=True)]


def demo(
    console: Console,
    output: Path,
    blue_version: int,
    green_version: int | None,
    *,
    approve_unasked: bool,
    changes: Sequence[Path] | None = None,
) -> int:
    """Runs the demo and writes ``report.json``; 0 only if the release succeeded and nothing is wrong afterwards."""
    output.mkdir(parents=True, exist_ok=True)
    journal_path = output / "journal.jsonl"
    journal_path.unlink(missing_ok=True)
    with console.status("") as status, world(blue_version=blue_version, progress=_progress(console, status)) as running:
        sample = create_sample(running.blue)
        workload = Workload(
            sample, running.record, running.resolver, running.aurora.port, journal=Journal(journal_path)
        )
        console.print(f"Production is [bold]shop-blue[/bold]; eight clients write to it by the name {running.record}.")
        workload.start()
        try:
            _wait_for_writes(workload, WARM_UP_WRITES)
            release = Release.start(
                running.emulator.client("stepfunctions"),
                running.stack.outputs["StateMachineArn"],
                {
                    "requested_by": "the demo",
                    "reason": "to see a release",
                    "changes": put_changes(running, changes),
                    **upgrade_input(blue_version, green_version),
                },
                running.mail_folder,
                name=f"demo-{int(time.time())}",
            )
            started = time.monotonic()
            console.print(f"\nRelease [bold]{release.execution_arn.rsplit(':', 1)[-1]}[/bold]\n")
            watch(console, status, release, workload, approve_unasked=approve_unasked)
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
    path = output / "report.json"
    path.write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")
    succeeded = report["status"] == "SUCCEEDED" and not report["findings"] and report["blue_refuses_writes"]
    _summarize(console, report, path, succeeded=succeeded)
    return 0 if succeeded else 1


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


def watch(
    console: Console, status: Status, release: Release, workload: Workload | None, *, approve_unasked: bool
) -> None:
    """Shows each state as it passes, asks for the approval, returns when the release has ended."""
    is_asked = False
    current = ""
    while True:
        is_running = release.running  # asked before the steps, so that the last ones are seen
        for step in release.new_steps():
            current = step.name
            if step.duration_s is not None:
                console.print(line(step))
        if not is_running:
            return
        if current == "AskForCorrection" and not is_asked and (mail := release.approval_request()):
            is_asked = True
            console.print(Panel(escape(mail.body.split("\n\nTo try again:")[0]), title=escape(mail.subject)))
            release.answer("reject")
        if current == "RequestApproval" and not is_asked and (mail := release.approval_request()):
            is_asked = True
            decision = _decide(console, status, mail, approve_unasked=approve_unasked)
            release.answer(decision, approver="the demo" if approve_unasked else "you")
        status.update(_live(current, release, workload))
        time.sleep(POLL_S)


def _live(current: str, release: Release, workload: Workload | None) -> str:
    parts = [current]
    if workload:
        parts.append(f"{workload.acknowledged} transactions acknowledged")
        if workload.last_write_age_s > 0.3:
            parts.append(f"[yellow]no write for {workload.last_write_age_s:.1f} s[/yellow]")
    if retried := release.waiting_for:
        parts.append(f"[dim]{escape(retried)}[/dim]")
    return " · ".join(parts)


def _decide(console: Console, status: Status, mail: Mail, *, approve_unasked: bool) -> str:
    text = mail.body.split("\n\nTo approve:")[0]
    console.print(Panel(escape(text), title=escape(mail.subject), subtitle="mail to the release leads", expand=False))
    if approve_unasked:
        console.print("Approved (--yes).\n")
        return "approve"
    status.stop()
    answer = ""
    while answer not in ("y", "n"):
        try:
            answer = console.input("Approve? [y/n] ", markup=False).strip().lower()
        except EOFError:  # nobody is there: that is no approval
            answer = "n"
    status.start()
    return "approve" if answer == "y" else "reject"


def line(step: Step) -> str:
    """How a state is shown once it has passed."""
    figure = ""
    with suppress(KeyError):  # of a state that failed, or has nothing to show
        figure = FIGURES[step.name](step.result)
    waited = f"asked {step.attempts + 1} times" if step.attempts else ""
    details = ", ".join(filter(None, (figure, waited)))
    return f"  {step.name:22} {step.duration_s or 0:7.2f} s  [dim]{escape(details)}[/dim]"


def _lags(lags: list[dict[str, Any]]) -> str:
    return ", ".join(f"{lag['database']} {lag['lag_bytes']} bytes, {1000 * lag['lag_s']:.0f} ms behind" for lag in lags)


def _ran(scripts: list[dict[str, Any]]) -> str:
    return f"{len(scripts)} scripts in {sum(each['seconds'] for each in scripts):.1f} s"


def _counted(inventory: dict[str, Any]) -> str:
    return f"{sum(facts['tables'] for facts in inventory.values())} tables in {len(inventory)} databases"


FIGURES: dict[str, Callable[[dict[str, Any]], str]] = {
    "PlanRelease": lambda s: f"{s['plan']['blue']['identifier']} to {s['plan']['green_identifier']}",
    "CheckBlue": lambda s: _counted(s["check"]["inventory"]),
    "CreateReplicationUser": lambda s: str(s["replication_user"]["role"]),
    "CreatePublications": lambda s: str(s["publications"]["publication"]),
    "CreateSlots": lambda s: f"{len(s['slots'])} slots",
    "WaitForGreen": lambda s: f"green answers at {s['green']['host']}",
    "AdoptClone": lambda s: f"start LSN {s['adoption']['start_lsn']}",
    "ApplyChanges": lambda s: _ran(s["applied_changes"]["scripts"]),
    "UpgradeGreen": lambda s: f"to {s['upgrade']['version']}, {len(s['upgrade']['left_behind'])} settings left behind",
    "WaitForUpgrade": lambda s: f"{sum(len(d['updated']) for d in s['extensions'].values())} extensions updated",
    "CheckDrift": lambda s: f"{sum(s['drift'].values())} statements repaired",
    "WaitForCatchUp": lambda s: _lags(list(s["lag"].values())),
    "WarmGreen": lambda s: (
        f"{sum(d['tables_analysed'] for d in s['warmth'].values())} tables analysed,"
        f" {sum(d['bytes_loaded'] for d in s['warmth'].values()) / 1e6:.1f} MB loaded"
    ),
    "GatherEvidence": lambda s: _lags(s["evidence"]["lag"]),
    "RequestApproval": lambda s: f"{s['approval'].get('decision')} by {s['approval'].get('approver')}",
    "FreezeBlue": lambda s: f"{s['freeze']['roles']} roles, {s['freeze']['sessions_ended']} sessions ended",
    "SyncSequences": lambda s: f"{sum(s.values())} sequences",
    "WaitForDrain": lambda s: f"drained in {1000 * max(s['drained']['drain_s'].values()):.0f} ms",
    "CompareChunks": lambda s: f"{s['rows']:,} rows, {s['rows_per_s']:,} rows/s",
    "SumUpVerification": lambda s: (
        f"{sum(s['compared']['rows'].values()):,} rows compared, {s['compared']['rows_per_s']:,} rows/s"
        + (f", about {s['compared']['left_s']} s left" if s["compared"]["chunks_left"] else "")
    ),
    "VerifyCutover": lambda s: (
        f"{sum(d['rows'] for d in s['verified']['compared'].values())} rows that changed since compared again"
    ),
    "OpenGreen": lambda s: f"{s['opening']['roles']} roles may connect to green",
    "CompleteRelease": lambda s: f"freeze to open {s['summary']['freeze_to_open_ms']:.0f} ms",
}
"""What is worth showing of a state's result."""


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


def _summarize(console: Console, report: dict[str, Any], path: Path, *, succeeded: bool) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    rows = [
        ("status", report["status"]),
        ("transactions acknowledged", report["acknowledged"]),
        ("release", f"{report['release_s']:.1f} s, {report['transitions']} transitions"),
    ]
    if report["status"] == "SUCCEEDED":
        rows[2:2] = [
            ("missing, doubled", f"{report['missing']}, {report['duplicated']}"),
            ("sequence conflicts", report["sequence_conflicts"]),
            ("blue refuses writes", report["blue_refuses_writes"]),
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
    console.print(f"\n{verdict} Report: {path}")


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"
