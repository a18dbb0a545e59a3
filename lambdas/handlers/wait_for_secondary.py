"""WaitForSecondary: green's secondary in a Region and its instances are available, and as blue's."""

from __future__ import annotations

from functools import partial

from bluegreen.model import Plan, Secondary, State
from bluegreen.rds.global_database import require_secondary_ready

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan, secondary = Plan.of(state), Secondary(**state["secondary"])
    return {
        "region": secondary.region,
        "reader_host": require_secondary_ready(partial(client, "rds"), plan, secondary),
    }
