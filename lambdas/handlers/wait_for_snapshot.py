"""WaitForSnapshot: the final snapshot is available."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, require_snapshot
from bluegreen.model import State

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    require_snapshot(client("rds"), plan)
    return {"available": plan.snapshot_identifier}
