"""WaitForDrain: green holds all that blue committed."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.switchover import drain

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return drain(databases(), Plan.of(state), green(state))
