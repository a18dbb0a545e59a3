"""WarmGreen: green has planner statistics, and in its cache what is hottest on blue."""

from __future__ import annotations

from bluegreen.green_cache import warm_green
from bluegreen.model import Plan, State, green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    warmths = warm_green(databases(), Plan.of(state), green(state))
    return {database: warmth.to_state() for database, warmth in warmths.items()}
