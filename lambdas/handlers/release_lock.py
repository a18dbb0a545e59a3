"""ReleaseLock: the cluster may be released again; why this release failed is put into words."""

from __future__ import annotations

from bluegreen.completion import explanation
from bluegreen.model import State
from bluegreen.records import release_lock

from .entry import Result, client, entry, execution_of, release_of, setting


@entry
def handler(state: State) -> Result:
    release_lock(client("dynamodb"), setting("LOCK_TABLE"), setting("CLUSTER_NAME"), execution_of(state))
    return {"explanation": explanation(state["failure"]), "release_id": release_of(state)}
