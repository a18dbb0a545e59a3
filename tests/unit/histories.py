"""Histories as Step Functions tells them, made by hand: small, and chained as the events of branches are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
ARN = "arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:one"
TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAb" + "Zx3" * 120
"""As long as a task token is."""


class History:
    """The events of one execution; each method returns the id of the event that the next one follows."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.at_s = 0.0
        self.last = self.add("ExecutionStarted", 0)

    def add(self, kind: str, previous: int, details: Mapping[str, Any] | None = None, key: str = "") -> int:
        event = {
            "id": len(self.events) + 1,
            "previousEventId": previous,
            "type": kind,
            "timestamp": BEGAN + timedelta(seconds=self.at_s),
        }
        self.events.append(event | ({key or f"{kind[0].lower()}{kind[1:]}EventDetails": details} if details else {}))
        return len(self.events)

    def enter(self, name: str, state: Any = None, kind: str = "Task", previous: int | None = None) -> int:
        details = {"name": name, "input": json.dumps(state or {})}
        self.last = self.add(f"{kind}StateEntered", self._after(previous), details, "stateEnteredEventDetails")
        return self.last

    def leave(self, name: str, state: Any = None, kind: str = "Task", previous: int | None = None) -> int:
        details = {"name": name, "output": json.dumps(state or {})}
        self.last = self.add(f"{kind}StateExited", self._after(previous), details, "stateExitedEventDetails")
        return self.last

    def call(self, seconds: float, error: str = "", previous: int | None = None) -> int:
        """A call of a function that takes so long, and fails if there is an error."""
        scheduled = self.add("LambdaFunctionScheduled", self._after(previous))
        self.at_s += seconds
        kind = "LambdaFunctionFailed" if error else "LambdaFunctionSucceeded"
        cause = json.dumps({"errorMessage": f"{error} of postgresql://u:pa55@blue/app"})
        self.last = self.add(kind, scheduled, {"error": error, "cause": cause} if error else None)
        return self.last

    def task(self, name: str, seconds: float = 1, errors: tuple[str, ...] = (), state: Any = None) -> None:
        """A state whose function fails so often before it succeeds."""
        self.enter(name, state)
        for error in errors:
            self.call(0.5, error)
            self.at_s += 1
        self.call(seconds)
        self.leave(name, state)

    def ask(self, name: str, seconds: float, state: Any = None) -> None:
        """A state that waits for somebody, with its token where Step Functions has it."""
        self.enter(name)
        scheduled = self.add("TaskScheduled", self.last, {"parameters": json.dumps({"Message": f"token {TOKEN}"})})
        self.at_s += seconds
        self.last = self.add("TaskSucceeded" if state else "TaskTimedOut", scheduled)
        self.leave(name, state)

    def end(self, kind: str = "ExecutionSucceeded") -> None:
        self.add(kind, self.last)

    def _after(self, previous: int | None) -> int:
        return self.last if previous is None else previous


class StepFunctions:
    """Tells these histories, page by page, newest event first if asked to."""

    def __init__(self, histories: Mapping[str, History]) -> None:
        self.histories = histories
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> StepFunctions:
        assert name == "get_execution_history"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        events = self.histories[asked["executionArn"]].events
        if not asked["includeExecutionData"]:
            events = [_without_data(event) for event in events]
        if asked.get("reverseOrder"):
            events = events[::-1][: asked["PaginationConfig"]["MaxItems"]]
        for begin in range(0, len(events), 100):
            yield {"events": events[begin : begin + 100]}


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    hidden = ("input", "output", "parameters", "cause")
    return {
        key: {name: each for name, each in value.items() if name not in hidden} if isinstance(value, dict) else value
        for key, value in event.items()
    }


STATE: dict[str, Any] = {
    "plan": {
        "release_id": "20261123-2200-abcdef",
        "cluster_name": "shop",
        "requested_by": "O'Neill <script>alert(1)</script>",
        "reason": 'version "42" & more',
        "blue": {"identifier": "shop-blue", "host": "blue.example", "port": 5432},
        "green_identifier": "shop-20261123-2200-abcdef",
        "records": [{"name": "db.shop.internal", "type": "CNAME", "endpoint": "writer", "region": "", "ttl_s": 60}],
        "attempt": 1,
        "freeze_budget_s": 30,
        "freeze_method": "nologin",
        "mode": "release",
        "blue_end": "keep",
    },
    "check": {
        "inventory": {"app": {"tables": 3, "sequences": 2, "size_bytes": 4096}},
        "accepted": {"unlogged-table": 1},
        "notes": {"generated-column": 2},
    },
    "green": {"identifier": "shop-20261123-2200-abcdef", "host": "green.example", "port": 5432},
    "drift": {"app": 1},
    "warmth": {"app": {"bytes_loaded": 5_000_000, "tables_analysed": 1}},
    "compared": {"rows": {"app": 1234}},
    "evidence": {
        "text": "It's ready — <b>really</b>.",
        "lag": [{"database": "app", "lag_bytes": 512, "lag_s": 0.004}],
        "expected_freeze_s": 0.5,
    },
}
APPROVED = STATE | {"approval": {"decision": "approve", "approver": "Ada \u202e<i>", "task_token": TOKEN}}
OPENED = APPROVED | {
    "freeze": {"frozen_at": "2026-11-24 02:00:06.1+00", "roles": 2, "sessions_ended": 3},
    "switchover": {
        "compared": {"app": {"rows": 5, "counted_tables": 1}},
        "sequences": {"app": 2},
        "drain_s": {"app": 0.004},
    },
    "opening": {"outcome": "open", "decided_at": "2026-11-24 02:00:06.3+00", "roles": 2},
}
COMPLETED = OPENED | {"summary": {"freeze_to_open_ms": 200.0, "blue_ends_at": None}}


def release(until: str = "") -> History:
    """A release as it goes well, up to a state of it; its approval takes four hours."""
    history = History()
    history.task("PlanRelease", 0.5, state=STATE)
    history.enter("DecideOnMode", STATE, "Choice")
    history.leave("DecideOnMode", STATE, "Choice")
    history.task("CloneBlue", 2, ("GreenNotReady", "GreenNotReady"), STATE)
    _compare(history)
    history.ask("RequestApproval", 4 * 3600, APPROVED)
    if until == "RequestApproval":
        return history
    history.at_s = 4 * 3600 + 6
    history.task("FreezeBlue", 0.1, state=OPENED)
    if until == "FreezeBlue":
        return history
    history.enter("Switchover", OPENED, "Parallel")
    history.task("WaitForDrain", 0.1, state={"plan": {"release_id": "of a branch"}})
    history.leave("Switchover", OPENED, "Parallel")
    history.task("OpenGreen", 0.05, state=OPENED)
    history.task("CompleteRelease", 0.5, state=COMPLETED)
    return history


def _compare(history: History) -> None:
    """Two workers side by side, of which one ends before the one that began earlier."""
    within = history.enter("CompareTables", STATE, "Map")
    one = history.add("MapIterationStarted", within)
    two = history.add("MapIterationStarted", within)
    first = history.enter("CompareChunks", {"worker": 0}, previous=one)
    second = history.enter("CompareChunks", {"worker": 1}, previous=two)
    first = history.add("LambdaFunctionScheduled", first)
    done = history.call(1, previous=second)
    history.leave("CompareChunks", {}, previous=done)
    history.at_s += 2
    done = history.add("LambdaFunctionSucceeded", first)
    history.leave("CompareChunks", {}, previous=done)
    history.add("MapStateSucceeded", history.last)
    history.leave("CompareTables", STATE, "Map", previous=len(history.events))
