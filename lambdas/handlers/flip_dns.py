"""FlipDns: the records point at green, which is fenced until it is opened."""

from __future__ import annotations

from functools import partial

from bluegreen.dns import flip
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry, prime_flip


@partial(entry, warm=prime_flip)
def handler(state: State) -> Result:
    return {"change_ids": flip(client("route53"), Plan.of(state), green(state))}
