"""WaitForGreen: green's cluster and all its instances are available."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State
from bluegreen.rds.aurora import require_green_ready

from .entry import Result, both_rds, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return asdict(require_green_ready(both_rds(plan), plan))
