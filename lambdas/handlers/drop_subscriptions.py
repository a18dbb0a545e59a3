"""DropSubscriptions: green follows blue no longer, and no slot is left on either, nor a publication on green."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.replication import drop_publications, drop_slots, drop_subscriptions

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan, target = Plan.of(state), green(state)
    drop_subscriptions(databases(), plan, target)
    drop_slots(databases(), plan, plan.blue)
    drop_slots(databases(), plan, target)
    drop_publications(databases(), plan, target)
    return {"dropped": len(plan.databases)}
