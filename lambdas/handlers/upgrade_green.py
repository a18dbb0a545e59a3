"""UpgradeGreen: green's engine version and parameter groups are asked for, and RDS is at work."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.upgrade import upgrade_green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return upgrade_green(client("rds"), Plan.of(state))
