"""The look at what an execution that died has left: Step Functions, the lock, blue, green."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from . import records, replication
from .decisions import Found, Freeze, Verdict, after_death
from .errors import DatabaseUnavailable, ExecutionNotOver, GreenFailed, InputInvalid
from .lines import on_one_line
from .model import Cluster, Plan, State
from .postgres import Databases
from .rds import aurora, global_database

EXECUTION_ARN = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:execution:[\w-]+:[!-~]+")
ARN_CHARACTERS = 256
"""What Step Functions takes (API reference, DescribeExecution)."""


def inspect(
    stepfunctions: Any,
    dynamodb: Any,
    greens_rds: Callable[[Plan], global_database.Clients],
    databases: Databases,
    lock_table: str,
    cluster_name: str,
    asked: Any,
    functions_end_after_s: int,
    planning_ends_after_s: int,
    now: datetime,
) -> dict[str, Any]:
    """Looks at everything, decides, and returns the state that the functions of the release take.

    asked                  ``execution_arn``; beside it ``status`` when an event told of the end of that execution
    functions_end_after_s  how long after its execution a function may still run: stopping one does not stop the other
    planning_ends_after_s  the same of PlanRelease, which alone takes the lock: an execution that holds none by then
                           never will, and what it touched it touched under the lock: nothing is left to undo

    Raises ``ExecutionNotOver`` when it is too early to say. DescribeExecution is eventually consistent (Step Functions
    API Reference), so an execution whose end was told of may be called running still.
    """
    arn = asked.get("execution_arn") if isinstance(asked, dict) else None
    if not (isinstance(arn, str) and len(arn) <= ARN_CHARACTERS and EXECUTION_ARN.fullmatch(arn)):
        raise InputInvalid('The input must be {"execution_arn": "…"}, with the ARN of the execution that died.')
    execution = stepfunctions.describe_execution(executionArn=arn)
    result = {"execution_arn": arn, "failure": _failure(execution)}
    if execution["status"] == "RUNNING":
        if "status" in asked:
            raise ExecutionNotOver(f"{arn} is {asked['status']} by its event, but still called RUNNING.")
        return result | _decided(Found(is_running=True, holds_lock=False))
    functions_ended_at = execution["stopDate"] + timedelta(seconds=functions_end_after_s)
    plan = records.locked_plan(dynamodb, lock_table, cluster_name, arn)
    if plan is None:
        planning_ended_at = execution["stopDate"] + timedelta(seconds=planning_ends_after_s)
        if now < planning_ended_at:
            raise ExecutionNotOver(f"{arn} holds no lock, but PlanRelease may still run until {planning_ended_at}.")
        return result | _decided(Found(is_running=False, holds_lock=False))
    rds = greens_rds(plan)
    description = aurora.describe_cluster(rds(), plan.green_identifier)
    green = aurora.endpoint(description) if description and "Endpoint" in description else None
    green = green and global_database.with_secondaries(rds, plan, green)
    freeze, attempt = blue_says(databases, plan)
    plan = replace(plan, attempt=attempt)
    verdict = green_says(databases, plan, green) if freeze == "may be open" else "none"
    decision = after_death(Found(is_running=False, holds_lock=True, freeze=freeze, verdict=verdict))
    if decision.action == "finish" and green is None:
        raise GreenFailed(f"{plan.green_identifier} was opened, and is gone: a person has to decide.")
    return result | {
        "plan": plan.to_state(),
        "green": asdict(green) if green else None,
        "decision": asdict(decision),
        "functions_ended_at": functions_ended_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "functions_have_ended": now >= functions_ended_at,
    }


def _decided(found: Found) -> dict[str, Any]:
    return {"decision": asdict(after_death(found))}


def _failure(execution: State) -> dict[str, str]:
    """How the execution ended, as a Catch would have told it; one that was stopped or timed out gives no error."""
    error = execution.get("error") or execution["status"]
    return {"Error": on_one_line(error), "Cause": execution.get("cause", "")}


def blue_says(databases: Databases, plan: Plan) -> tuple[Freeze, int]:
    """Where the last freeze of a release stands, by blue's freeze record, and which attempt is to be recovered.

    That is the attempt of this freeze. When it was ended it is the next, whose FreezeBlue may be on its way: aborting
    an attempt keeps it from freezing blue later.
    """
    found = (
        databases.on(plan.blue, plan.home).query("last_freeze", release_id=plan.release_id)
        if replication.is_prepared(databases, plan, plan.blue)
        else []
    )
    if not found:
        return "none", 1
    record, attempt = found[0], found[0]["attempt"]
    if record["is_open"]:
        return "open", attempt
    if not record["is_frozen"]:
        return "ended", attempt + 1
    return ("may be open" if record["may_be_open"] else "frozen"), attempt


def green_says(databases: Databases, plan: Plan, green: Cluster | None) -> Verdict:
    """What green decided, if it answers; ``unknown`` when it is gone, too."""
    if green is None:
        return "unknown"
    try:
        openings = databases.on(green, plan.home).query("opening", switchover_id=plan.switchover_id)
    except DatabaseUnavailable:
        return "unknown"
    return openings[0]["outcome"] if openings else "none"
