"""ReleaseLock: the cluster may be released again, and nobody answers this release; why it failed is put into words."""

from __future__ import annotations

from bluegreen.approval.store import Approvals
from bluegreen.completion import explanation
from bluegreen.lines import on_one_line
from bluegreen.model import State
from bluegreen.records import release_lock

from .entry import Result, client, entry, execution_of, release_of, setting


@entry
def handler(state: State) -> Result:
    told = state.get("state", state)
    failure, plan = told.get("failure"), told.get("plan") or {}
    reason = explanation(failure) if failure else None
    dynamodb, release_id = client("dynamodb"), release_of(state)
    Approvals(dynamodb, setting("APPROVAL_TABLE")).close(release_id)
    release_lock(dynamodb, setting("LOCK_TABLE"), setting("CLUSTER_NAME"), execution_of(state))
    return {
        # Whoever stopped an execution that its recovery looks after chose the words, and the error's name.
        "explanation": reason if told is not state else on_one_line(reason or ""),
        "release_id": release_id,
        "requested_by": plan.get("requested_by", "a person who is not known"),
    }
