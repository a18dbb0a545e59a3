"""AdoptClone: start LSN, guards, copies dropped, green fenced."""

from __future__ import annotations

from bluegreen.adoption import adopt_clone
from bluegreen.model import Plan, State, green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return {"start_lsn": str(adopt_clone(databases(), Plan.of(state), green(state)))}
