"""AbortSwitchover: blue gets its writers back, unless green is open already."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State, green
from bluegreen.switchover import abort

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    opening_was_asked_for = "switchover" in state  # OpenGreen follows that state at once
    verdict = abort(databases(), Plan.of(state), green(state), opening_was_asked_for)
    return asdict(verdict) | {"roles": len(verdict.roles)}
