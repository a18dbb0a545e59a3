"""What an execution cost, estimated from its own history. What AWS bills elsewhere is told in hours and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .timeline import Timeline

ASSUMPTION = "List prices of us-east-1 as docs/performance.md has them, without free tiers; other Regions differ."
USD_PER_TRANSITION = 0.025 / 1_000
USD_PER_REQUEST = 0.20 / 1_000_000
USD_PER_GB_S = 0.0000133334
"""Of functions on arm64."""


def estimate(timeline: Timeline, memory_mb: Mapping[str, int]) -> dict[str, Any]:
    """Dollars and what they are made of; a try lasts from when it was scheduled, so that seconds are rather too many.

    memory_mb  of the functions by their states, ``default`` for all others
    """
    requests, gb_s = 0, 0.0
    for span in timeline.spans:
        if not span.runs_function:
            continue
        requests += len(span.tries)
        seconds = sum((each.ended_at - each.started_at).total_seconds() for each in span.tries if each.ended_at)
        gb_s += seconds * memory_mb.get(span.name, memory_mb["default"]) / 1024
    usd = {
        "transitions_usd": timeline.transitions * USD_PER_TRANSITION,
        "requests_usd": requests * USD_PER_REQUEST,
        "function_time_usd": gb_s * USD_PER_GB_S,
    }
    return {
        "assumption": ASSUMPTION,
        "transitions": timeline.transitions,
        "function_requests": requests,
        "function_gb_s": round(gb_s, 3),
        **{name: round(value, 6) for name, value in usd.items()},
        "total_usd": round(sum(usd.values()), 6),
    }
