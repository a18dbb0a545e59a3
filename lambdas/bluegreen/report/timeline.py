"""What an execution has been through: a span for each visit of a state, from its history alone.

An event names the one before it in the same branch (``previousEventId``), so that what runs side by side, the branches
of a Parallel and the iterations of a Map, can be told apart (Step Functions API Reference, *HistoryEvent*).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_SCHEDULED = frozenset({"LambdaFunctionScheduled", "TaskScheduled"})
_SUCCEEDED = frozenset({"LambdaFunctionSucceeded", "TaskSucceeded"})
_FAILED = ("Failed", "TimedOut")
_SIDE_BY_SIDE = frozenset({"Map", "Parallel"})
ASKING = frozenset({"RequestApproval", "AskForCorrection"})
"""The states that wait for a person."""


@dataclass(slots=True)
class Try:
    """One call of a task; without an end while it goes on."""

    started_at: datetime
    ended_at: datetime | None = None
    error: str = ""


@dataclass(slots=True)
class Span:
    """One visit of a state; ``within`` is the Map or Parallel in whose branches it is."""

    name: str
    kind: str
    entered_at: datetime
    within: str = ""
    left_at: datetime | None = None
    tries: list[Try] = field(default_factory=list)
    entry_id: int = 0
    exit_id: int = 0
    runs_function: bool = False
    """Whether it calls a function of ours: others are calls of AWS, or of the customer's function."""

    @property
    def errors(self) -> dict[str, int]:
        """How often each error came."""
        return dict(Counter(each.error for each in self.tries if each.error))

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a person or for a time: it may take days, in which nothing happens."""
        return self.kind == "Wait" or self.name in ASKING


@dataclass(slots=True)
class Timeline:
    """An execution; ``status`` as Step Functions has it, RUNNING when it has no end yet."""

    spans: list[Span] = field(default_factory=list)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    status: str = "RUNNING"
    last_at: datetime | None = None
    """The time of the last event."""

    @property
    def transitions(self) -> int:
        """What Step Functions charges for: each state entered, and each retry."""
        return len(self.spans) + sum(max(len(span.tries) - 1, 0) for span in self.spans)

    @property
    def states_s(self) -> dict[str, float]:
        """Seconds that were spent in each state that was left, all visits together."""
        seconds: dict[str, float] = defaultdict(float)
        for span in self.spans:
            if span.left_at:
                seconds[span.name] += (span.left_at - span.entered_at).total_seconds()
        return {name: round(spent, 3) for name, spent in seconds.items()}


def of(events: Iterable[Mapping[str, Any]]) -> Timeline:
    """The timeline of a history, oldest event first; inputs and outputs are not looked at.

    >>> from datetime import UTC
    >>> at = lambda second: datetime.fromtimestamp(second, UTC)
    >>> entered = {"id": 2, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "CloneBlue"}}
    >>> left = {"id": 3, "type": "TaskStateExited", "stateExitedEventDetails": {"name": "CloneBlue"}}
    >>> of([entered | {"timestamp": at(10)}, left | {"timestamp": at(12), "previousEventId": 2}]).states_s
    {'CloneBlue': 2.0}
    """
    timeline = Timeline()
    owners: dict[int, Span] = {}
    open_spans: list[Span] = []
    for event in events:
        at, kind = event["timestamp"], event["type"]
        timeline.last_at = at
        timeline.started_at = timeline.started_at or at
        owner = owners.get(event.get("previousEventId", 0))
        if kind.endswith("StateEntered"):
            owner = _enter(event, open_spans)
            timeline.spans.append(owner)
        elif kind.endswith("StateExited"):
            owner = _leave(event, owner, open_spans)
        elif kind.startswith("Execution"):
            if kind != "ExecutionStarted":
                timeline.ended_at, timeline.status = at, _status(kind)
                _close(open_spans, at)
        elif owner:
            _note_try(owner, event)
        if owner:
            owners[event["id"]] = owner
    return timeline


def _enter(event: Mapping[str, Any], open_spans: list[Span]) -> Span:
    """States of one level come one after the other, and none of our Maps and Parallels holds another one."""
    around = next((span.name for span in open_spans if span.kind in _SIDE_BY_SIDE), "")
    kind = event["type"].removesuffix("StateEntered")
    name = event["stateEnteredEventDetails"]["name"]
    span = Span(name, kind, event["timestamp"], within=around, entry_id=event["id"])
    open_spans.append(span)
    return span


def _leave(event: Mapping[str, Any], owner: Span | None, open_spans: list[Span]) -> Span | None:
    """Closes the span; that of a Map or Parallel is not the owner, since the last event before is one of a branch."""
    name = event["stateExitedEventDetails"]["name"]
    if owner is None or owner.name != name:
        owner = next((span for span in reversed(open_spans) if span.name == name), None)
    if owner is None:
        return None
    owner.exit_id = event["id"]
    within = [span for span in open_spans if span.within == owner.name] if owner.kind in _SIDE_BY_SIDE else []
    _close([owner, *within], event["timestamp"])  # a branch that was given up has no exit
    for span in (owner, *within):
        if span in open_spans:
            open_spans.remove(span)
    return owner


def _close(spans: Iterable[Span], at: datetime) -> None:
    for span in spans:
        span.left_at = span.left_at or at
        for each in span.tries:
            each.ended_at = each.ended_at or at


def _note_try(span: Span, event: Mapping[str, Any]) -> None:
    kind, at = event["type"], event["timestamp"]
    if kind in _SCHEDULED:
        span.tries.append(Try(at))
        span.runs_function = kind == "LambdaFunctionScheduled"
    elif span.tries and span.tries[-1].ended_at is None:
        if kind in _SUCCEEDED:
            span.tries[-1].ended_at = at
        elif kind.startswith(("Lambda", "Task")) and kind.endswith(_FAILED):
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            default = "States.Timeout" if kind.endswith("TimedOut") else "unknown"
            span.tries[-1].ended_at = at
            span.tries[-1].error = details.get("error") or default


def _status(kind: str) -> str:
    """
    >>> _status("ExecutionTimedOut")
    'TIMED_OUT'
    """
    return {"ExecutionTimedOut": "TIMED_OUT"}.get(kind, kind.removeprefix("Execution").upper())
