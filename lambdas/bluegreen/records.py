"""DynamoDB: one release of a cluster at a time."""

from __future__ import annotations

from typing import Any

from .errors import ReleaseInProgress


def acquire_lock(dynamodb: Any, table: str, cluster_name: str, execution_arn: str, release_id: str) -> None:
    """Takes the lock of a cluster for an execution, or has it already. Raises ``ReleaseInProgress`` naming the holder.

    A conditional write decides, because EventBridge may deliver one event twice, and two executions then start.
    """
    key = {"cluster": {"S": cluster_name}}
    try:
        dynamodb.put_item(
            TableName=table,
            Item=key | {"execution_arn": {"S": execution_arn}, "release_id": {"S": release_id}},
            ConditionExpression="attribute_not_exists(#cluster) OR execution_arn = :ours",
            ExpressionAttributeNames={"#cluster": "cluster"},
            ExpressionAttributeValues={":ours": {"S": execution_arn}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        holder = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        arn = holder.get("execution_arn", {}).get("S", "an execution that has just ended")
        raise ReleaseInProgress(
            f"Cluster {cluster_name} is being released by {arn}. Wait for it to end, or reject its approval request."
        ) from error


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
