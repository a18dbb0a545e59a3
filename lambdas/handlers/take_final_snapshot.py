"""TakeFinalSnapshot: the final snapshot of a cluster that ends is begun."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, take_snapshot
from bluegreen.model import State

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    take_snapshot(client("rds"), plan)
    return {"identifier": plan.snapshot_identifier}
