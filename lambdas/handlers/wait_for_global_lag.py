"""WaitForGlobalLag: green's secondaries are in step with green; returns green with where they are reached."""

from __future__ import annotations

from dataclasses import asdict, replace

from bluegreen.model import Plan, State, green
from bluegreen.rds.global_database import require_small_lag

from .entry import Result, databases, entry, tell


@entry
def handler(state: State) -> Result:
    target = green(state)
    tell("secondaries are in step", lag_s=require_small_lag(databases(), Plan.of(state), target))
    readers = {each["region"]: each["reader_host"] for each in state["secondaries"] if each["reader_host"]}
    return asdict(replace(target, secondary_readers=readers))
