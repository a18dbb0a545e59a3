"""DeleteGlobalCluster: the empty global cluster is gone."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission
from bluegreen.model import State
from bluegreen.rds.removal import delete_global_cluster

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    if plan.global_cluster_identifier:
        delete_global_cluster(client("rds"), plan.global_cluster_identifier)
    return {"deleted": plan.global_cluster_identifier}
