"""CreateGlobalCluster: green is the primary of a global cluster."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.rds.global_database import create_global_cluster

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return {"identifier": create_global_cluster(client("rds"), Plan.of(state))}
