"""The end of a release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from . import errors, replication
from .errors import SwitchoverAborted
from .history import Completed
from .lines import in_lines, on_one_line
from .model import Cluster, Plan, State
from .postgres import Databases
from .scrubbing import scrubbed
from .session import Row


def clear_away(databases: Databases, plan: Plan, green: Cluster) -> Row:
    """Takes away what only the release needed: publication and replication role on blue, role and schema on green.
    Returns the freeze record.

    Blue keeps the schema ``bluegreen``: its freeze record names the roles that would get LOGIN back if blue were ever
    needed again. That green was opened is noted there first, for green forgets it with its schema.
    """
    home = databases.on(plan.blue, plan.home)
    if replication.made_schema(databases.on(green, plan.home), plan):
        opening = databases.on(green, plan.home).one("opening", switchover_id=plan.switchover_id)
        if opening["outcome"] != "open":
            raise SwitchoverAborted(f"{plan.switchover_id} was aborted: there is nothing to complete.")
        home.query("note_opening", switchover_id=plan.switchover_id, opened_at=opening["decided_at"])
    replication.drop_publications(databases, plan, plan.blue)
    replication.drop_replication_role(databases, plan, plan.blue)
    replication.drop_replication_role(databases, plan, green)
    replication.drop_schema(databases, plan, green)
    return home.one("freeze_record", switchover_id=plan.switchover_id)


def order_end(stepfunctions: Any, state_machine_arn: str, completed: Completed) -> None:
    """Starts the decommission of blue, which waits for its time; nothing when blue is kept, or this was done before."""
    if completed.blue_ends_at is None:
        return
    plan = completed.plan
    with suppress(stepfunctions.exceptions.ExecutionAlreadyExists):
        stepfunctions.start_execution(
            stateMachineArn=state_machine_arn,
            name=f"{plan.release_id}-end-of-blue",
            input=json.dumps({"release_id": plan.release_id, "not_before": completed.blue_ends_at}),
        )


def explanation(failure: State) -> str:
    """Why a release failed, from what a Catch caught: a function's error is JSON with a stack trace, others are text;
    a rejection is the answer of the one who rejected. Only an error of ours has more than one line.

    >>> explanation({"Error": "BlueUnfit", "Cause": '{"errorMessage": "No.", "stackTrace": []}'})
    'No.'
    >>> explanation({"Error": "States.Timeout", "Cause": ""})
    'It gave no reason.'

    What the customer's hook was to take back and could not is told with it, since it may stand still.

    >>> explanation({"Cause": "No.", "hook_failure": {"Error": "PageStuck", "Cause": "Still up."}})
    'No. After that the hook failed when the switchover was called off: PageStuck: Still up.'
    """
    said = _said(failure)
    hook = failure.get("hook_failure")
    if not hook:
        return said
    told = f"{on_one_line(str(hook['Error']))}: {_said(hook)}"
    return f"{said} After that the hook failed when the switchover was called off: {told}"


def _said(failure: State) -> str:
    reason: str = scrubbed(_reason(str(failure.get("Cause", ""))))
    kind = getattr(errors, str(failure.get("Error")), None)
    is_ours = isinstance(kind, type) and issubclass(kind, errors.BlueGreenError)
    return in_lines(reason.split("\n")) if is_ours else on_one_line(reason)


def _reason(cause: str) -> str:
    try:
        parsed = json.loads(cause)
    except (ValueError, RecursionError):  # who stops an execution may say anything
        return cause or "It gave no reason."
    if not isinstance(parsed, dict):
        return cause
    return str(parsed.get("errorMessage") or parsed.get("said") or cause)


def hook_failure(state: Mapping[str, Any]) -> dict[str, str] | None:
    """Why the customer's hook failed after the opening; None when it did not, or there is none."""
    failure = state.get("hook_failure")
    return failure and {"error": failure["Error"], "reason": explanation(failure)}


def summary(completed: Completed, state: State, record: Row) -> dict[str, Any]:
    """The figures of the release. ``freeze_to_open_ms`` compares blue's clock with green's, which NTP keeps close.

    What only the state of the execution said is None when a recovery completes the release: it died with it.
    """
    plan = completed.plan
    frozen, opened = (datetime.fromisoformat(record[key]) for key in ("frozen_at", "opened_at"))
    switchover = state.get("switchover")
    return {
        "release_id": plan.release_id,
        "blue": plan.blue.identifier,
        "green": plan.green_identifier,
        "blue_end": plan.blue_end,
        "blue_ends_at": completed.blue_ends_at,
        "attempts": plan.attempt,
        "freeze_to_open_ms": round((opened - frozen).total_seconds() * 1000, 1),
        "hook_failure": hook_failure(state),
        "approval": state.get("approval"),
        "accepted_by": plan.requested_by if plan.accept else None,
        "accepted": state["check"]["accepted"] if "check" in state else None,
        "roles": len(record["roles"]),
        "sessions_ended": state["freeze"]["sessions_ended"] if "freeze" in state else None,
        "databases": switchover
        and {
            database: {
                "rows_compared": state["compared"]["rows"][database],
                "rows_compared_in_freeze": switchover["compared"][database]["rows"],
                "sequences": switchover["sequences"][database],
                "drain_s": round(switchover["drain_s"][database], 4),
            }
            for database in plan.databases
        },
    }
