"""PlanDecommission: which cluster is meant, and whether it may go; touches nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen.ending.planning import Surroundings, plan_decommission
from bluegreen.model import State

from .entry import Result, client, databases, entry, json_setting, rds_in, setting


@entry
def handler(state: State) -> Result:
    around = Surroundings(
        rds=rds_in,
        region=client("rds").meta.region_name,
        route53=client("route53"),
        dynamodb=client("dynamodb"),
        databases=databases(),
        lock_table=setting("LOCK_TABLE"),
        release_table=setting("RELEASE_TABLE"),
        cluster_name=setting("CLUSTER_NAME"),
        cluster_pattern=setting("CLUSTER_PATTERN"),
        home=json_setting("DATABASES")[0],
        record_keys=json_setting("RECORDS"),
        now=datetime.now(UTC),
    )
    plan = plan_decommission(around, state["input"])
    return {"todo": "end" if plan else "nothing", "plan": plan and plan.to_state(), "input": state["input"]}
