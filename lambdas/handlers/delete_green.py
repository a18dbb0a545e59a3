"""DeleteGreen: the clone of a release that came to nothing is gone, and its parameter groups with it."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.parameter_groups import delete_groups
from bluegreen.rds.removal import delete_green

from .entry import Result, entry, greens_rds


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    rds = greens_rds(plan)
    delete_green(rds, plan)
    for region in ("", *(secondary.region for secondary in plan.secondaries)):
        delete_groups(rds(region), plan)
    return {"deleted": plan.green_identifier}
