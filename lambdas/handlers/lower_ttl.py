"""LowerTtl: the records' TTLs go down, so that clients follow the switchover quickly."""

from __future__ import annotations

from bluegreen.dns import lower_ttl
from bluegreen.model import Plan, State

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"old_ttl_ends_at": lower_ttl(client("route53"), Plan.of(state)).strftime("%Y-%m-%dT%H:%M:%SZ")}
