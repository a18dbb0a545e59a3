"""DynamoDB: one release of a cluster at a time, and the figures of its last rehearsal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .errors import ReleaseInProgress
from .model import Cluster, Plan


def acquire_lock(dynamodb: Any, table: str, plan: Plan) -> None:
    """Takes the lock of a cluster for an execution, or has it already. Raises ``ReleaseInProgress`` naming the holder.

    The lock carries the plan: should the execution die, its recovery knows from it what there may be.

    A conditional write decides, because EventBridge may deliver one event twice, and two executions then start.
    """
    key = {"cluster": {"S": plan.cluster_name}}
    fields = {
        "execution_arn": plan.execution_arn,
        "release_id": plan.release_id,
        "plan": json.dumps(plan.to_state()),
    }
    try:
        dynamodb.put_item(
            TableName=table,
            Item=key | {name: {"S": value} for name, value in fields.items()},
            ConditionExpression="attribute_not_exists(#cluster) OR execution_arn = :ours",
            ExpressionAttributeNames={"#cluster": "cluster"},
            ExpressionAttributeValues={":ours": {"S": plan.execution_arn}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        holder = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        raise _in_progress(plan, holder) from error


def require_unlocked(dynamodb: Any, table: str, plan: Plan) -> None:
    """Raises ``ReleaseInProgress`` naming the holder while somebody has the lock of a cluster; takes nothing."""
    key = {"cluster": {"S": plan.cluster_name}}
    if holder := dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item"):
        raise _in_progress(plan, holder)


def _in_progress(plan: Plan, holder: dict[str, Any]) -> ReleaseInProgress:
    arn = holder.get("execution_arn", {}).get("S", "an execution that has just ended")
    if holder and "plan" not in holder:
        return ReleaseInProgress(f"Cluster {plan.cluster_name} is locked by a {arn}: release it afterwards.")
    return ReleaseInProgress(
        f"Cluster {plan.cluster_name} is being released by {arn}. Wait for it to end, or reject its approval request."
    )


def locked_plan(dynamodb: Any, table: str, cluster_name: str, execution_arn: str) -> Plan | None:
    """The plan of the release that an execution holds a cluster's lock for; None when it does not hold it."""
    key = {"cluster": {"S": cluster_name}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None or item["execution_arn"]["S"] != execution_arn:
        return None
    return Plan.of({"plan": json.loads(item["plan"]["S"])})


def plan_under_way(dynamodb: Any, table: str, cluster_name: str) -> Plan | None:
    """The plan of the release that has the lock of a cluster, whoever makes it; a deployment has none."""
    item = dynamodb.get_item(TableName=table, Key={"cluster": {"S": cluster_name}}, ConsistentRead=True).get("Item")
    return Plan.of({"plan": json.loads(item["plan"]["S"])}) if item and "plan" in item else None


def deployment_under_way(dynamodb: Any, table: str, cluster_name: str) -> str:
    """Who deploys the stack of a cluster and has its lock meanwhile; empty when nobody does."""
    item = dynamodb.get_item(TableName=table, Key={"cluster": {"S": cluster_name}}, ConsistentRead=True).get("Item")
    return str(item["execution_arn"]["S"]) if item and "plan" not in item else ""


def note_green(dynamodb: Any, table: str, plan: Plan, green: Cluster) -> bool:
    """Notes in the lock where green is reached, for the monitor; False when this release does not hold the lock."""
    try:
        dynamodb.update_item(
            TableName=table,
            Key={"cluster": {"S": plan.cluster_name}},
            UpdateExpression="SET green = :green",
            ConditionExpression="execution_arn = :ours",
            ExpressionAttributeValues={
                ":ours": {"S": plan.execution_arn},
                ":green": {"S": json.dumps(asdict(green))},
            },
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def watched_release(dynamodb: Any, table: str, cluster_name: str) -> tuple[Plan, Cluster] | None:
    """The plan of the release that has the lock of a cluster, and its green; None before green follows blue."""
    item = dynamodb.get_item(TableName=table, Key={"cluster": {"S": cluster_name}}, ConsistentRead=True).get("Item")
    if item is None or "green" not in item:
        return None
    return Plan.of({"plan": json.loads(item["plan"]["S"])}), Cluster(**json.loads(item["green"]["S"]))


def keep_rehearsal(dynamodb: Any, table: str, cluster_name: str, figures: Mapping[str, Any]) -> None:
    """Keeps the figures of a rehearsal until the next one."""
    item = {**_rehearsal_of(cluster_name), "figures": {"S": json.dumps(figures)}}
    dynamodb.put_item(TableName=table, Item=item)


def last_rehearsal(dynamodb: Any, table: str, cluster_name: str) -> dict[str, Any]:
    """The figures of the newest rehearsal; empty when there was none."""
    item = dynamodb.get_item(TableName=table, Key=_rehearsal_of(cluster_name)).get("Item")
    figures: dict[str, Any] = json.loads(item["figures"]["S"]) if item else {}
    return figures


def _rehearsal_of(cluster_name: str) -> dict[str, Any]:
    return {"cluster": {"S": f"{cluster_name}#rehearsal"}}  # no cluster has such a name


def release_lock(dynamodb: Any, table: str, cluster_name: str, execution_arn: str) -> None:
    """Gives the lock back if this execution holds it."""
    try:
        dynamodb.delete_item(
            TableName=table,
            Key={"cluster": {"S": cluster_name}},
            ConditionExpression="execution_arn = :ours",
            ExpressionAttributeValues={":ours": {"S": execution_arn}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return
