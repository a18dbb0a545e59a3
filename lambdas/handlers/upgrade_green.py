"""UpgradeGreen: green's engine version and parameter groups are asked for, and RDS is at work."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.upgrade import upgrade_green

from .entry import Result, both_rds, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return upgrade_green(both_rds(plan), plan)
