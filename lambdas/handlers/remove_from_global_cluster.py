"""RemoveFromGlobalCluster: the primary is a member of no global cluster."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, remove_from_global_cluster, require_not_production
from bluegreen.model import State

from .entry import Result, client, entry, json_setting, rds_in


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    require_not_production(client("route53"), json_setting("RECORDS"), plan.cluster)
    remove_from_global_cluster(rds_in, plan)
    return {"removed": plan.cluster.identifier}
