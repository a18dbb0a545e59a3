"""What the approver decides on: measured now, said in plain text."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from . import drift, fingerprint, green_cache, lag, repair
from .changes.telling import change_lines
from .completion import explanation
from .errors import FreezeBudgetExceeded
from .lines import in_lines, on_one_line
from .model import Cluster, Lag, Plan, State
from .postgres import Databases
from .rds import global_database
from .switchover import sequence_states
from .verify import since

STEP_S = 0.1
"""What a step of the state machine costs beside its work: a transition, and a call of a warm function."""

STEPS = 4
"""FreezeBlue, WaitForDrain, VerifyCutover and OpenGreen come one after the other; all else goes on beside them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Subject (ASCII, at most 100 characters, as SNS demands) and text of the approval request, and its figures."""

    subject: str
    text: str
    lag: list[dict[str, Any]]
    expected_freeze_s: float


def gather(databases: Databases, plan: Plan, green: Cluster, state: State) -> Evidence:
    """Looks for drift, compares what changed, measures lag and what the freeze will take, and writes the request."""
    drift.require_none(drift.find(databases, plan, green))
    changed = {name: since.totals(found) for name, found in since.compare_changed(databases, plan, green).items()}
    lags = lag.measure(databases, plan, green)
    lag.require_small(lags, plan.max_lag_bytes, plan.max_lag_s)
    freeze_s = expected_freeze_s(databases, plan, green, max(measured.lag_s or 0 for measured in lags))
    told = [
        *secondary_lines(databases, plan, green),
        *drift_lines(databases, plan, green),
        log_line(databases, plan, green),
        *watch_lines(state),
    ]
    return Evidence(
        subject=f"Approve release {plan.release_id} of {plan.cluster_name[:40]}?",
        text=request_text(plan, green, state, lags, changed, freeze_s, told),
        lag=[asdict(measured) for measured in lags],
        expected_freeze_s=round(freeze_s, 3),
    )


def _record_lines(plan: Plan) -> list[str]:
    """The records that will move, each with its endpoint unless that is the usual one."""
    readers = {"writer": "", "reader": ", readers"}
    lines = [
        f"{record.name} {record.type}{readers[record.endpoint]}{f' in {record.region}' if record.region else ''}"
        for record in plan.records
    ]
    return [f"{title:<14}{line}" for title, line in zip_longest(["Record:"], lines, fillvalue="")]


def secondary_lines(databases: Databases, plan: Plan, green: Cluster) -> list[str]:
    """How far green's secondaries are behind it, if they are made before the cutover."""
    if not green.secondary_readers:
        return []
    lags = global_database.require_small_lag(databases, plan, green).items()
    said = ", ".join(f"{region} {1000 * lag_s:.0f} ms behind it" for region, lag_s in lags)
    return [f"Green's secondaries are in step: {said}."]


def log_line(databases: Databases, plan: Plan, green: Cluster) -> str:
    """How much log the servers keep for the release, which grows for as long as it waits."""
    slots = [slot for database in plan.databases for slot in (plan.slot(database), plan.recorder(database))]

    def kept_mb(cluster: Cluster) -> float:
        rows = databases.on(cluster, plan.home).query("our_slots", slots=slots)
        return max((row["retained_bytes"] for row in rows), default=0) / 1e6

    blue_mb, green_mb = kept_mb(plan.blue), kept_mb(green)
    return f"Blue keeps {blue_mb:.0f} MB of log for it, green {green_mb:.0f} MB; that grows until it is answered."


def watch_lines(state: State) -> list[str]:
    """That nobody looks after replication while the request waits, when that is so."""
    if "monitor_failure" not in state:
        return []
    error = on_one_line(str(state["monitor_failure"].get("Error")))
    return [f"Its lag is NOT being measured, and no alarm will go off: MonitorLag failed with {error}."]


def upgrade_lines(plan: Plan, state: State) -> list[str]:
    """What is not as on blue because the release was asked for it: engine version, parameters, extensions."""
    if "upgrade" not in state:
        return []
    made = state["upgrade"]
    engine = f"{made['version']}, upgraded from {made['was']}" if made["is_upgrade"] else f"{made['was']}, as blue's"
    extensions = [(database, told) for database, told in state["extensions"].items() if any(told.values())]
    changed = [f"  {name}: {text}" for name, told in extensions for text in told["updated"]]
    kept = [f"  {name}: {text}" for name, told in extensions for text in told["left"]]
    return [
        f"Engine:       {engine}",
        f"Parameters:   group {made['group']}, after blue's",
        *(f"  new: {name} = {value}" for name, value in plan.parameters.items()),
        *(f"  left behind: {each}" for each in made["left_behind"]),
        *(["Extensions that were brought to the version of the engine:", *drift.shortened(changed)] if changed else []),
        *(["Extensions that could not be:", *drift.shortened(kept)] if kept else []),
    ]


def drift_lines(databases: Databases, plan: Plan, green: Cluster) -> list[str]:
    """What the approver should know of what is not replicated: that it is the same, and what was done for that."""
    made = [
        f"  {database}: {' '.join(statement.split())[:200]}"
        for database in plan.databases
        for statement in repair.repaired(databases.on(green, database))
    ]
    sees_passwords = fingerprint.sees_passwords(databases.on(plan.blue, plan.home))
    passwords = "and passwords " if sees_passwords else "(passwords cannot be compared) "
    lines = [f"Schema, roles, grants, settings {passwords}are the same on both sides."]
    return lines + (
        ["What was created on blue meanwhile was created on green:", *drift.shortened(made)] if made else []
    )


def request_text(
    plan: Plan,
    green: Cluster,
    state: State,
    lags: list[Lag],
    changed: dict[str, dict[str, int]],
    freeze_s: float,
    told: list[str],
) -> str:
    """The approval request as the release lead reads it."""
    lines = [
        f"Release {plan.release_id} of {plan.cluster_name} is ready to switch over.",
        "",
        *_last_attempt(plan, state),
        f"Asked for by: {plan.requested_by}",
        f"Reason:       {plan.reason}",
        f"From (blue):  {plan.blue.identifier} at {plan.blue.host}:{plan.blue.port}",
        *green_lines(plan, green),
        *_record_lines(plan),
        *upgrade_lines(plan, state),
        "",
        "Green is in step with blue:",
    ]
    for measured in lags:
        facts = state["check"]["inventory"][measured.database]
        lines.append(
            f"  {measured.database}: {facts['tables']} tables, {facts['sequences']} sequences,"
            f" {facts['size_bytes'] / 1e9:.2f} GB; {measured.lag_bytes} bytes behind, a row takes"
            f" {1000 * (measured.lag_s or 0):.0f} ms from blue to green"
        )
        lines.append(
            f"    all {state['compared']['rows'][measured.database]} rows compared and equal,"
            f" and the {changed[measured.database]['rows']} that changed meanwhile"
        )
    lines += [
        *told,
        *change_lines(state),
        f"Green is warm: {green_cache.sentence(state['warmth'])}.",
        *finding_lines(plan, state),
        *_rehearsal_lines(plan),
        "",
        *_freeze_lines(plan),
        f"That is expected to take {freeze_s:.1f} s, from what its parts take now.",
        f"If a step fails, or all takes more than {plan.freeze_budget_s} s, blue takes writes again; nothing is lost.",
        "Until then change no schema, roles, passwords or grants on blue: green has them as of the clone.",
        f"Without an answer within {plan.approval_timeout_s} s the release is abandoned and green removed.",
    ]
    return in_lines(lines)


def _freeze_lines(plan: Plan) -> list[str]:
    """What happens upon the approval."""
    takes_over = "Green takes over when it is proven to hold everything."
    if not plan.hook_function_arn:
        return [f"When you approve, blue stops taking writes at once. {takes_over}"]
    return [
        f"When you approve, the function {plan.hook_function_arn}",
        f"is called first, for at most {plan.hook_timeout_s} s; if it fails, the switchover is called off.",
        f"Then blue stops taking writes. {takes_over}",
        "The function is called again when green is open, or when the switchover was called off.",
    ]


def finding_lines(plan: Plan, state: State) -> list[str]:
    """What was found on blue before the release, in numbers; docs/findings.md says what it means."""
    told = (
        (f"Warnings, accepted by {plan.requested_by}", state["check"].get("accepted")),
        ("Notes", state["check"].get("notes")),
    )
    return [
        f"{title}: {', '.join(f'{name} ({count})' for name, count in counts.items())}."
        for title, counts in told
        if counts
    ]


def _rehearsal_lines(plan: Plan) -> list[str]:
    """What the newest rehearsal of this cluster said."""
    if not (then := plan.last_rehearsal):
        return ["It was never rehearsed."]
    return [
        f"Rehearsed at {then['rehearsed_at']} ({then['release_id']}): a freeze of {then['expected_freeze_s']:.1f} s was"
        f" expected, {then['rows']:,} rows were compared, and it took {then['elapsed_s'] / 60:.1f} minutes until then."
    ]


def green_lines(plan: Plan, green: Cluster) -> list[str]:
    """Where green is."""
    account = [f"              in account {plan.green_account.account_id}"] if plan.green_account else []
    return [f"To (green):   {green.identifier} at {green.host}:{green.port}", *account]


def _last_attempt(plan: Plan, state: State) -> list[str]:
    """Why the attempt before this one came to nothing."""
    if plan.attempt == 1:
        return []
    failure = state["failure"]
    first, *more = explanation(failure).split("\n")
    return [
        f"Attempt {plan.attempt - 1} of {plan.max_attempts} was called off, and blue has been taking writes since:",
        f"  {failure.get('Error', 'unknown')}: {first}",
        *(f"    {line}" for line in more),
        "",
    ]


def expected_freeze_s(databases: Databases, plan: Plan, green: Cluster, sentinel_s: float) -> float:
    """How long writes will be refused, from what the freeze does, done now while nothing is frozen.

    Sequences are carried over beside draining and comparing what changed. Raises ``FreezeBudgetExceeded`` when the
    freeze cannot end within its budget: then it must not begin.
    """

    def sequences(database: str) -> None:
        for _ in range(2):  # they are read, set, and read again
            sequence_states(databases.on(green, database))
        sequence_states(databases.on(plan.blue, database))

    sequences_s = _duration_s(lambda: databases.each(plan.databases, sequences))
    comparing_s = _duration_s(lambda: since.compare_changed(databases, plan, green))
    expected_s = STEPS * STEP_S + max(sequences_s, sentinel_s + comparing_s)
    if expected_s > plan.freeze_budget_s:
        raise FreezeBudgetExceeded(
            f"The freeze would take about {expected_s:.1f} s (sequences {sequences_s:.1f} s, a row from blue to green"
            f" {sentinel_s:.1f} s, comparing what changed {comparing_s:.1f} s); freeze_budget_s is"
            f" {plan.freeze_budget_s}."
        )
    return expected_s


def _duration_s(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
