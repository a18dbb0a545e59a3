"""VerifyCutover: what changed since it was compared is equal on green, and blue is still frozen."""

from __future__ import annotations

from bluegreen.budget import whole_time_left_s
from bluegreen.model import Plan, State, green
from bluegreen.verification import verify_cutover

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    compared = verify_cutover(databases(), plan, green(state))
    return {"compared": compared, "left_s": whole_time_left_s(databases(), plan)}
