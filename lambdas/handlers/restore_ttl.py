"""RestoreTtl: the records, now at green, have the TTLs of before the release."""

from __future__ import annotations

from bluegreen.dns import settle
from bluegreen.model import Plan, State, green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"change_ids": settle(client("route53"), Plan.of(state), green(state))}
