"""FlipDns: the records point at green, which is fenced until it is opened."""

from __future__ import annotations

from functools import partial

from bluegreen.dns import flip
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry, rehearse_flip


@partial(entry, warm=rehearse_flip)
def handler(state: State) -> Result:
    return {"change_ids": flip(client("route53"), Plan.of(state), green(state))}
