"""VerifyCutover: every table has as many rows on green as on blue, and blue is still frozen."""

from __future__ import annotations

from bluegreen.budget import whole_time_left_s
from bluegreen.model import Plan, State, green
from bluegreen.verification import verify_cutover

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    counts = verify_cutover(databases(), plan, green(state))
    return {"counts": counts, "left_s": whole_time_left_s(databases(), plan)}
