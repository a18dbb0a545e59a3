"""SumUpVerification: how far the comparison is, and that nothing differs so far."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.verify import live

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return live.progress(databases(), Plan.of(state), green(state)).to_state()
