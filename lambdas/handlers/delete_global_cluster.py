"""DeleteGlobalCluster: the empty global cluster is gone."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, delete_global_cluster
from bluegreen.model import State

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    delete_global_cluster(client("rds"), plan)
    return {"deleted": plan.global_cluster_identifier}
