"""FlipDns: the writer record points at green, which is fenced until it is opened."""

from __future__ import annotations

from bluegreen.dns import point_at
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan, target = Plan.of(state), green(state)
    ttl_s = min(plan.record.ttl_s, plan.switchover_ttl_s)
    return {"change_id": point_at(client("route53"), plan, target, [plan.blue], ttl_s)}
