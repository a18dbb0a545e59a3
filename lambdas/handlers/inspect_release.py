"""InspectRelease: what an execution that died has left, and what is to be done about it."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen.model import State
from bluegreen.recovery import inspect

from .entry import Result, client, databases, entry, greens_rds, setting


@entry
def handler(state: State) -> Result:
    return inspect(
        client("stepfunctions"),
        client("dynamodb"),
        greens_rds,
        databases(),
        setting("LOCK_TABLE"),
        setting("CLUSTER_NAME"),
        state["input"],
        int(setting("FUNCTIONS_END_AFTER_S")),
        int(setting("PLANNING_ENDS_AFTER_S")),
        datetime.now(UTC),
    )
