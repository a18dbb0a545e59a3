"""CreateSecondary: a secondary of green's in a Region, and its instances."""

from __future__ import annotations

from functools import partial

from bluegreen.model import Plan, Secondary, State
from bluegreen.rds.global_database import create_secondary

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan, secondary = Plan.of(state), Secondary(**state["secondary"])
    create_secondary(partial(client, "rds"), plan, secondary)
    return {"region": secondary.region}
