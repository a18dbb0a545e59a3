"""VerifyCutover: every table has as many rows on green as on blue, and blue is still frozen."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.switchover import verify_cutover

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return verify_cutover(databases(), Plan.of(state), green(state))
