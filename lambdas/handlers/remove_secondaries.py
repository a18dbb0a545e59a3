"""RemoveSecondaries: the secondaries are out of the global cluster and gone."""

from __future__ import annotations

from bluegreen.ending.decommission import Decommission, remove_secondaries, require_not_production
from bluegreen.model import State

from .entry import Result, client, entry, json_setting, rds_in


@entry
def handler(state: State) -> Result:
    plan = Decommission.of(state)
    require_not_production(client("route53"), json_setting("RECORDS"), plan.cluster)
    remove_secondaries(rds_in, plan)
    return {"removed": [member.identifier for member in plan.secondaries]}
