"""DropSubscriptions: green follows blue no longer, and blue's slots are gone."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.replication import drop_slots, drop_subscriptions

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    drop_subscriptions(databases(), plan, green(state))
    drop_slots(databases(), plan, plan.blue)
    return {"dropped": len(plan.databases)}
