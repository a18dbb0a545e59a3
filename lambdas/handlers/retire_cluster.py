"""RetireCluster: cluster, instances and secondaries are marked as those that may be stopped and deleted."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, require_not_production, retire
from bluegreen.model import State

from .entry import Result, client, entry, json_setting, rds_in


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    require_not_production(client("route53"), json_setting("RECORDS"), plan.cluster)
    retire(rds_in, plan)
    return {"retired": plan.cluster.identifier}
