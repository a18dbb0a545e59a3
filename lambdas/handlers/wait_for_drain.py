"""WaitForDrain: green holds all that blue committed."""

from __future__ import annotations

from bluegreen.budget import whole_time_left_s
from bluegreen.model import Plan, State, green
from bluegreen.switchover import drain

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    drain_s = drain(databases(), plan, green(state))
    return {"drain_s": drain_s, "left_s": whole_time_left_s(databases(), plan)}
