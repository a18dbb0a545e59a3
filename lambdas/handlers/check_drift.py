"""CheckDrift: what replication does not carry is the same on both sides, or is made so."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.repair import check_drift

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return check_drift(databases(), Plan.of(state), green(state))
