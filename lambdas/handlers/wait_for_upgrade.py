"""WaitForUpgrade: green has its version and its parameters."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State
from bluegreen.rds.upgrade import require_upgraded

from .entry import Result, both_rds, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return asdict(require_upgraded(both_rds(plan), plan, state["upgrade"]["version"]))
