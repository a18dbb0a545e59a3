"""StopCluster: the cluster is stopped."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, in_words, require_not_production, stop
from bluegreen.model import State

from .entry import Result, client, entry, json_setting, rds_in


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    require_not_production(client("route53"), json_setting("RECORDS"), plan.cluster)
    stop(rds_in, plan)
    return {"text": in_words(plan)}
