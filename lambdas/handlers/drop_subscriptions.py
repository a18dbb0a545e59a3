"""DropSubscriptions: green follows blue no longer, and no slot is left on either, nor a publication on green."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.replication import end_replication

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    end_replication(databases(), plan, green(state))
    return {"dropped": len(plan.databases)}
