"""When the monitor runs: a rule of EventBridge calls it once a minute while a lock is held, and not otherwise.

The release enables the rule; the monitor disables it when it finds no lock. So however a release ends, also by its
recovery or by hand, the rule ends with it, and a release that nobody has cleaned up stays watched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .. import records
from ..model import Cluster, Plan

SAMPLES_LAST = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rule, and the tables that the monitor knows a release by and leaves its samples in."""

    dynamodb: Any
    events: Any
    rule: str
    lock_table: str
    sample_table: str
    cluster_name: str

    def begin(self, plan: Plan, green: Cluster) -> None:
        """Has a release watched that holds the lock; what has lost it meanwhile is not."""
        if records.note_green(self.dynamodb, self.lock_table, plan, green):
            self.events.enable_rule(Name=self.rule)

    def watched(self) -> tuple[Plan, Cluster] | None:
        """The release that is under way, and its green. Without one the rule is disabled, for nothing is to be done.

        A release that takes the lock between the look at it and the disabling has enabled the rule or will; so it is
        looked at again afterwards.
        """
        watched = self._look()
        if watched is None and not self._is_locked():
            self.events.disable_rule(Name=self.rule)
            if watched := self._look():
                self.events.enable_rule(Name=self.rule)
        return watched

    def _look(self) -> tuple[Plan, Cluster] | None:
        return records.watched_release(self.dynamodb, self.lock_table, self.cluster_name)

    def _is_locked(self) -> bool:
        return records.plan_under_way(self.dynamodb, self.lock_table, self.cluster_name) is not None

    def keep(self, plan: Plan, samples: Mapping[str, Any], now: datetime) -> None:
        """Keeps what was measured at one time, by database, for ninety days."""
        at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.dynamodb.put_item(
            TableName=self.sample_table,
            Item={
                "release_id": {"S": plan.release_id},
                "at": {"S": at},
                "sample": {"S": json.dumps({"databases": samples})},
                "expires_at": {"N": str(int((now + SAMPLES_LAST).timestamp()))},
            },
        )
