"""WaitForUpgrade: green has its version and its parameters, and its extensions are those of the version."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.upgrade import require_upgraded, update_extensions

from .entry import Result, both_rds, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    green = require_upgraded(both_rds(plan), plan, state["upgrade"]["version"])
    return update_extensions(databases(), plan, green)
