"""RecheckReadiness: all that could have changed since the approval; green commits synchronously from here on."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.readiness import recheck
from bluegreen.replication import commit_synchronously

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan, target = Plan.of(state), green(state)
    commit_synchronously(databases(), plan, target)
    recheck(databases(), plan, target)
    return {"ready": True}
