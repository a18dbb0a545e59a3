"""What the report is made of: the history of executions, and the samples of the lag monitor."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .timeline import ASKING, Timeline

Event = Mapping[str, Any]

SEARCHED_EVENTS = 3_000
"""So many of the last events are read with their data, which may be 256 KB each."""

MOST_SAMPLES = 100_000
"""One a minute for two months."""

SHOWN_SAMPLES = 2_000
"""Of so many a plot is as good as of all."""


def own_history(stepfunctions: Any, execution_arn: str) -> Iterator[Event]:
    """All events of an execution, oldest first, without inputs and outputs: task tokens are in those."""
    pages = stepfunctions.get_paginator("get_execution_history")
    large = {"PageSize": 1000}  # as many as there can be: a history has up to 25,000 events
    for page in pages.paginate(executionArn=execution_arn, includeExecutionData=False, PaginationConfig=large):
        yield from page["events"]


@dataclass(slots=True)
class Told:
    """What the state data of an execution held."""

    state: dict[str, Any] = field(default_factory=dict)
    """As it was last seen outside the branches of a Map or Parallel, with the plan if it ever had one: what a Succeed
    state leaves of it is only the output. The input of the first state is not among it, which anybody may have made."""
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    """State data after somebody was asked, by the id of the event."""


def state_data(stepfunctions: Any, execution_arn: str, timeline: Timeline) -> Told:
    """The state data of an execution, looked for from its end, as far back as is reasonable."""
    outside = {event_id for span in timeline.spans if not span.within for event_id in (span.entry_id, span.exit_id)}
    outside -= {span.entry_id for span in timeline.spans[:1]}
    missing = {span.exit_id for span in timeline.spans if span.name in ASKING and span.exit_id}
    told, newest = Told(), (False, 0)
    pages = stepfunctions.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn,
        reverseOrder=True,
        includeExecutionData=True,
        PaginationConfig={"MaxItems": SEARCHED_EVENTS, "PageSize": 100},
    )
    for page in pages:
        for event in page["events"]:
            data = _data(event) if event["id"] in outside else None
            if data is None:
                continue
            if (rank := ("plan" in data, event["id"])) > newest:
                newest, told.state = rank, data
            if event["id"] in missing:
                told.answers[event["id"]] = data
        if newest[0] and missing <= told.answers.keys():
            break
    return told


def _data(event: Event) -> dict[str, Any] | None:
    entered, left = event.get("stateEnteredEventDetails", {}), event.get("stateExitedEventDetails", {})
    try:
        data = json.loads(entered.get("input") or left.get("output") or "null")
    except ValueError:  # cut off
        return None
    return data if isinstance(data, dict) else None


def samples(dynamodb: Any, table: str, release_id: str) -> list[dict[str, Any]]:
    """The samples of the lag monitor, oldest first: ``at``, and ``databases`` with the figures of each."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="release_id = :release_id",
        ExpressionAttributeValues={":release_id": {"S": release_id}},
        PaginationConfig={"MaxItems": MOST_SAMPLES},
    )
    items = (item for page in pages for item in page["Items"])
    return thinned(
        [{"at": item["at"]["S"], "databases": json.loads(item["sample"]["S"])["databases"]} for item in items]
    )


def thinned(found: list[dict[str, Any]], most: int = SHOWN_SAMPLES) -> list[dict[str, Any]]:
    """Of many samples so many, evenly spread, the one furthest behind of each stretch: a release may wait for weeks.

    >>> few = [{"at": str(at), "databases": {"app": {"lag_bytes": lag}}} for at, lag in enumerate((0, 9, 1, 2, 0))]
    >>> [each["at"] for each in thinned(few, most=3)]
    ['1', '3', '4']
    """
    stretch = max(1, math.ceil(len(found) / most))
    return [max(found[at : at + stretch], key=_lag_bytes) for at in range(0, len(found), stretch)]


def _lag_bytes(sample: dict[str, Any]) -> int:
    return max((figures["lag_bytes"] for figures in sample["databases"].values()), default=0)
