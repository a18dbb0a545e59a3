"""What the approver decides on: measured now, said in plain text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from . import lag
from .model import Cluster, Lag, Plan, State
from .postgres import Databases


@dataclass(frozen=True, slots=True)
class Evidence:
    """Subject (ASCII, at most 100 characters, as SNS demands) and text of the approval request, and its figures."""

    subject: str
    text: str
    answer: str
    """The task output that approves, for the command line in the mail."""
    lag: list[dict[str, Any]]


def gather(databases: Databases, plan: Plan, green: Cluster, state: State) -> Evidence:
    """Measures the lag once more and writes the request."""
    lags = lag.measure(databases, plan, green)
    lag.require_small(lags, plan.max_lag_bytes, plan.max_lag_s)
    return Evidence(
        subject=f"Approve release {plan.release_id} of {plan.cluster_name[:40]}?",
        text=request_text(plan, green, state["inventory"], lags),
        answer="""'{"decision": "approve", "approver": "YOUR NAME"}'""",
        lag=[asdict(measured) for measured in lags],
    )


def _record_lines(plan: Plan) -> list[str]:
    """The records that will move, each with its endpoint unless that is the usual one."""
    readers = {"writer": "", "reader": ", readers"}
    lines = [f"{record.name} {record.type}{readers[record.endpoint]}" for record in plan.records]
    return [f"{title:<14}{line}" for title, line in zip_longest(["Record:"], lines, fillvalue="")]


def request_text(plan: Plan, green: Cluster, inventory: State, lags: list[Lag]) -> str:
    """The approval request as the release lead reads it."""
    lines = [
        f"Release {plan.release_id} of {plan.cluster_name} is ready to switch over.",
        "",
        f"Asked for by: {plan.requested_by}",
        f"Reason:       {plan.reason}",
        f"From (blue):  {plan.blue.identifier} at {plan.blue.host}:{plan.blue.port}",
        f"To (green):   {green.identifier} at {green.host}:{green.port}",
        *_record_lines(plan),
        "",
        "Green is in step with blue:",
    ]
    for measured in lags:
        facts = inventory[measured.database]
        lines.append(
            f"  {measured.database}: {facts['tables']} tables, {facts['sequences']} sequences,"
            f" {facts['size_bytes'] / 1e9:.2f} GB; {measured.lag_bytes} bytes behind, a row takes"
            f" {1000 * (measured.lag_s or 0):.0f} ms from blue to green"
        )
    lines += [
        "",
        "When you approve, blue stops taking writes at once. Green takes over when it is proven to hold everything.",
        f"If a step of it fails or takes more than {plan.freeze_budget_s} s, blue takes writes again; nothing is lost.",
        "Until then change no schema, roles, passwords or grants on blue: green has them as of the clone.",
        f"Without an answer within {plan.approval_timeout_s} s the release is abandoned and green removed.",
    ]
    return "\n".join(lines)
