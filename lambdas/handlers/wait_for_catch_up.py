"""WaitForCatchUp: lag in bytes and seconds is small, replication is healthy."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.lag import measure, require_small
from bluegreen.model import Plan, State, green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    lags = measure(databases(), plan, green(state))
    require_small(lags, plan.max_lag_bytes, plan.max_lag_s)
    return {lag.database: asdict(lag) for lag in lags}
