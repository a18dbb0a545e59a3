"""RestoreDns: the writer record is as it was before the release."""

from __future__ import annotations

from bluegreen.dns import restore
from bluegreen.model import Plan, State, green_if_any

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"change": restore(client("route53"), Plan.of(state), green_if_any(state))}
