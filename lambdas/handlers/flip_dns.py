"""FlipDns: the writer record points at green, which is fenced until it is opened."""

from __future__ import annotations

from bluegreen.dns import flip
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"change_id": flip(client("route53"), Plan.of(state), green(state))}
