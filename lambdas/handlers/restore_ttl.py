"""RestoreTtl: the writer record, now at green, has the TTL of before the release."""

from __future__ import annotations

from bluegreen.dns import point_at
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return {"change_id": point_at(client("route53"), plan, green(state), [plan.blue], plan.record.ttl_s)}
