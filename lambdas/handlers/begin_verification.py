"""BeginVerification: from here on every change is recorded, and every table waits to be compared."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.verify import live

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    live.start(databases(), plan, green(state))
    return {"workers": list(range(plan.verify_workers))}
