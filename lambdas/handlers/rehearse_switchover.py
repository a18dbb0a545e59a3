"""RehearseSwitchover: what the freeze does is tried, or done where that harms nobody, and timed."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.rehearsal import play

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return play(databases(), Plan.of(state), green(state))
