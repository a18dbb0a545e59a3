"""How a release is shown while it goes on: each state as it passes, with what is worth showing of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.status import Status

from local.browsing import answer, fetch
from local.clients.workload import Workload
from local.release import POLL_S, Mail, Release, Step


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
            show_mail(console, mail.subject, mail.question)
            answer(mail.link, "reject", "the demo")
        if current == "RequestApproval" and not is_asked and (mail := release.approval_request()):
            is_asked = True
            _answer(console, status, mail, approve_unasked=approve_unasked)
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


def _answer(console: Console, status: Status, mail: Mail, *, approve_unasked: bool) -> None:
    """Shows the request, and answers on its page; somebody else may have done that in a browser meanwhile."""
    show_mail(console, mail.subject, mail.question)
    console.print(f"The page on which it is answered: {mail.link}\n", soft_wrap=True, markup=False)
    decision = "approve"
    if not approve_unasked:
        status.stop()
        decision = _asked(console)
        status.start()
    approver = "whoever watches" if approve_unasked else "you"
    opened = fetch(mail.link)
    if decision in opened.forms:
        opened = fetch(mail.link, opened.forms[decision] | {"approver": approver, "comment": ""})
    console.print(f"{escape(opened.said or 'It was answered on the page.')}\n")


def _asked(console: Console) -> str:
    said = ""
    while said not in ("y", "n"):
        try:
            said = console.input("Approve? [y/n], or answer on the page and press y ", markup=False).strip().lower()
        except EOFError:  # nobody is there: that is no approval
            said = "n"
    return "approve" if said == "y" else "reject"


def show_mail(console: Console, subject: str, text: str) -> None:
    """A mail as its reader sees it."""
    console.print(Panel(escape(text), title=escape(subject), subtitle="mail to the release leads", expand=False))


def line(step: Step) -> str:
    """How a state is shown once it has passed."""
    figure = ""
    with suppress(KeyError):  # of a state that failed, or has nothing to show
        figure = FIGURES[step.name](step.result)
    waited = f"asked {step.attempts + 1} times" if step.attempts else ""
    details = ", ".join(filter(None, (figure, waited)))
    return f"  {step.name:24} {step.duration_s or 0:7.2f} s  [dim]{escape(details)}[/dim]"


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
    "UpdateExtensions": lambda s: f"{sum(len(d['updated']) for d in s['extensions'].values())} extensions updated",
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
