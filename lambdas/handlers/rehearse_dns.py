"""RehearseDns: the records of the rehearsal move to green."""

from __future__ import annotations

from bluegreen.dns import rehearse_flip
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"dns_s": round(rehearse_flip(client("route53"), Plan.of(state), green(state)), 3)}
