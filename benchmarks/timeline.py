"""Where a switchover's time goes: its states from the execution's history, the functions' own times from their logs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A state: when it was entered (ms after the last write on blue), how long it lasted, and its function in it."""

    state: str
    entered_ms: float
    lasted_ms: float
    function_ms: float | None = None

    @property
    def left_ms(self) -> float:
        """When it was left."""
        return self.entered_ms + self.lasted_ms


def spans(events: Iterable[dict[str, Any]], functions_ms: dict[str, float], zero: float) -> list[Span]:
    """Every state that was left; the times of functions by the names of their states.

    >>> from datetime import datetime, UTC
    >>> at = lambda s: datetime.fromtimestamp(s, UTC)
    >>> entered = {"type": "TaskStateEntered", "timestamp": at(10), "stateEnteredEventDetails": {"name": "A"}}
    >>> exited = {"type": "TaskStateExited", "timestamp": at(10.5), "stateExitedEventDetails": {"name": "A"}}
    >>> spans([entered, exited], {"A": 400.0}, 9.0)
    [Span(state='A', entered_ms=1000.0, lasted_ms=500.0, function_ms=400.0)]
    """
    entered: dict[str, float] = {}
    found = []
    for event in events:
        at = 1000 * (event["timestamp"].timestamp() - zero)
        if event["type"].endswith("StateEntered"):
            entered[event["stateEnteredEventDetails"]["name"]] = at
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            found.append(Span(name, entered[name], at - entered[name], functions_ms.get(name)))
    return found


def function_times_ms(logs: Path, release_id: str) -> dict[str, float]:
    """How long each state's function took in a release, as it logged it; of several calls the last."""
    times: dict[str, float] = {}
    for log in logs.glob("*.log"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"duration_ms"' in line and release_id in line:
                entry = json.loads(line)
                times[entry["state"]] = entry["duration_ms"]
    return times


def medians(runs: list[list[Span]]) -> list[Span]:
    """One timeline of several, state by state, of those that every run has.

    >>> medians([[Span("A", 0, 1.0, None)], [Span("A", 2, 5.0, None)], [Span("A", 3, 3.0, None), Span("B", 0, 0)]])
    [Span(state='A', entered_ms=2, lasted_ms=3.0, function_ms=None)]
    """
    by_state = [{span.state: span for span in run} for run in runs]
    common = [span.state for span in runs[0] if all(span.state in run for run in by_state)]

    def middle(state: str) -> Span:
        found = [run[state] for run in by_state]
        own = [span.function_ms for span in found if span.function_ms is not None]
        return Span(
            state,
            statistics.median(span.entered_ms for span in found),
            statistics.median(span.lasted_ms for span in found),
            statistics.median(own) if own else None,
        )

    return [middle(state) for state in common]


def chart(timeline: list[Span], until_ms: float, width: int = 60) -> list[str]:
    """The timeline as bars of text, one line for each state.

    >>> chart([Span("A", 0, 10), Span("B", 10, 10)], 20, width=4)
    ['A |##  |', 'B |  ##|']
    """
    start = min([0.0, *(span.entered_ms for span in timeline)])
    scale = width / (until_ms - start)
    name = max(len(span.state) for span in timeline)
    lines = []
    for span in timeline:
        left = min(width - 1, int((span.entered_ms - start) * scale))
        length = max(1, min(width - left, round(span.lasted_ms * scale)))
        lines.append(f"{span.state:{name}} |{' ' * left}{'#' * length}{' ' * (width - left - length)}|")
    return lines
