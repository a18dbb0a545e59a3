"""WaitForDns: all of Route 53's servers serve the flipped records."""

from __future__ import annotations

from bluegreen.hosted_zones import require_in_sync
from bluegreen.model import State

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    require_in_sync(client("route53"), state["switchover"]["dns"]["change_ids"])
    return {"in_sync": True}
