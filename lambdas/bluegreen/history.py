"""DynamoDB: the releases that are complete, and the clusters that were ended. The lock is gone with its release."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .ending.decommission import Decommission
from .model import Plan

TIME = "%Y-%m-%dT%H:%M:%SZ"
"""As Step Functions wants a timestamp, to the second."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A release as it was planned, and when it was complete."""

    plan: Plan
    completed_at: datetime

    @property
    def blue_ends_at(self) -> str | None:
        """From when on blue may be ended, as a timestamp; None when it is kept."""
        if self.plan.blue_end == "keep":
            return None
        return (self.completed_at + timedelta(hours=self.plan.retain_blue_h)).strftime(TIME)


def note(dynamodb: Any, table: str, plan: Plan, now: datetime) -> Completed:
    """Keeps a release that is complete. The first note of it counts: its blue ends so many hours after that."""
    fields = {"plan": json.dumps(plan.to_state()), "completed_at": now.strftime(TIME)}
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName=table,
            Item=_key(plan.cluster_name, plan.release_id) | {name: {"S": value} for name, value in fields.items()},
            ConditionExpression="attribute_not_exists(release_id)",
        )
    completed = find(dynamodb, table, plan.cluster_name, plan.release_id)
    return completed or Completed(plan, now)


def find(dynamodb: Any, table: str, cluster_name: str, release_id: str) -> Completed | None:
    """A release that was completed, or None when none of that name was."""
    key = _key(cluster_name, release_id)
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        return None
    completed_at = datetime.fromisoformat(item["completed_at"]["S"])
    return Completed(Plan.of({"plan": json.loads(item["plan"]["S"])}), completed_at)


def note_end(dynamodb: Any, table: str, cluster_name: str, plan: Decommission) -> None:
    """Keeps what a decommission is about: a secondary that has left its global cluster can be found nowhere else."""
    item = _key(cluster_name, _END + plan.cluster.identifier) | {"plan": {"S": json.dumps(plan.to_state())}}
    dynamodb.put_item(TableName=table, Item=item)


def find_end(dynamodb: Any, table: str, cluster_name: str, identifier: str) -> Decommission | None:
    """What the last decommission of a cluster of this name was about."""
    key = _key(cluster_name, _END + identifier)
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return item and Decommission.of({"plan": json.loads(item["plan"]["S"])})


_END = "end of "
"""Before the name of a cluster, where a release has its id."""


def _key(cluster_name: str, release_id: str) -> dict[str, Any]:
    return {"cluster": {"S": cluster_name}, "release_id": {"S": release_id}}
