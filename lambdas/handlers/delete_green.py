"""DeleteGreen: the clone of a release that came to nothing is gone, and its parameter groups with it."""

from __future__ import annotations

from bluegreen.aurora import delete_green
from bluegreen.model import Plan, State
from bluegreen.parameter_groups import delete_groups

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    delete_green(client("rds"), plan)
    delete_groups(client("rds"), plan)
    return {"deleted": plan.green_identifier}
