"""DeleteGreen: the clone of a release that came to nothing is gone, and its parameter groups with it."""

from __future__ import annotations

from functools import partial

from bluegreen.model import Plan, State
from bluegreen.rds.parameter_groups import delete_groups
from bluegreen.rds.removal import delete_green

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    delete_green(partial(client, "rds"), plan)
    for region in ("", *(secondary.region for secondary in plan.secondaries)):
        delete_groups(client("rds", region), plan)
    return {"deleted": plan.green_identifier}
