"""The end of a release."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from . import replication
from .model import Cluster, Plan, State
from .postgres import Databases


def clear_away(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Takes away what only the release needed: publication and replication role on blue, role and schema on green.

    Blue keeps the schema ``bluegreen``: its freeze record names the roles that would get LOGIN back if blue were ever
    needed again.
    """
    replication.drop_publications(databases, plan, plan.blue)
    replication.drop_replication_role(databases, plan, plan.blue)
    replication.drop_replication_role(databases, plan, green)
    replication.drop_schema(databases, plan, green)


def explanation(failure: State) -> str:
    """Why a release failed, from what a Catch caught: a function's error is JSON with a stack trace, others are text.

    >>> explanation({"Error": "BlueUnfit", "Cause": '{"errorMessage": "No.", "stackTrace": []}'})
    'No.'
    >>> explanation({"Error": "States.Timeout", "Cause": ""})
    'It gave no reason.'
    """
    cause = str(failure.get("Cause", ""))
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause or "It gave no reason."
    return str(parsed.get("errorMessage", cause)) if isinstance(parsed, dict) else cause


def summary(plan: Plan, state: State) -> dict[str, Any]:
    """The figures of the release. ``freeze_to_open_ms`` compares blue's clock with green's, which NTP keeps close."""
    frozen, opened = (
        datetime.fromisoformat(text) for text in (state["freeze"]["frozen_at"], state["opening"]["decided_at"])
    )
    switchover = state["switchover"]
    return {
        "release_id": plan.release_id,
        "blue": plan.blue.identifier,
        "green": plan.green_identifier,
        "attempts": plan.attempt,
        "freeze_to_open_ms": round((opened - frozen).total_seconds() * 1000, 1),
        "roles": state["opening"]["roles"],
        "sessions_ended": state["freeze"]["sessions_ended"],
        "databases": {
            database: {
                "tables": switchover["counts"][database]["tables"],
                "rows": switchover["counts"][database]["rows"],
                "uncounted_tables": switchover["counts"][database]["uncounted_tables"],
                "sequences": switchover["sequences"][database],
                "drain_s": round(switchover["drain_s"][database], 4),
            }
            for database in plan.databases
        },
    }
