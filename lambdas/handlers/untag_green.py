"""UntagGreen: green is production, and carries the tag no more by which releases may change and delete it."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.release_tag import untag_green

from .entry import Result, entry, greens_rds


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return {"untagged": untag_green(greens_rds(plan), plan)}
