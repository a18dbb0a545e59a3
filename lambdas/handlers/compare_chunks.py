"""CompareChunks: one worker compares chunks of tables until none is left or its time is over."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.verify import live

from .entry import Result, databases, entry

WORK_S = 600
"""How long a call begins new chunks; the rest of the function's time is for the last one."""


@entry
def handler(state: State) -> Result:
    return live.compare(databases(), Plan.of(state), green(state), state["worker"], WORK_S)
