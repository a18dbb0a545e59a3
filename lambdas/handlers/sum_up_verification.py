"""SumUpVerification: how far the comparison is, that nothing differs so far, and that it gets on."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.verify import rounds

from .entry import Result, databases, entry, measure


@entry
def handler(state: State) -> Result:
    compared = rounds.sum_up(databases(), Plan.of(state), green(state), state.get("compared", {}))
    measure(compared)
    return compared
