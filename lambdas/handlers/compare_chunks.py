"""CompareChunks: one worker compares chunks of tables until none is left or its time is over."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.verify import live, rounds

from .entry import Result, databases, entry, measure, tell


@entry
def handler(state: State) -> Result:
    done = live.compare(databases(), Plan.of(state), green(state), state["worker"], rounds.ROUND_S, tell)
    measure({name: done[name] for name in ("rows", "stood_back_s")})
    return done
