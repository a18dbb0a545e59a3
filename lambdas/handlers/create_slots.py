"""CreateSlots: a replication slot for each database, from which blue keeps its log for green."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.replication import create_slots

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return create_slots(databases(), Plan.of(state))
