"""AbortSwitchover: blue gets its writers back, unless green is open already."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State, green_if_any
from bluegreen.switchover import abort

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    verdict = abort(databases(), plan, green_if_any(state))
    return asdict(verdict) | {"roles": len(verdict.roles), "next_attempt": plan.next_attempt}
