"""SyncSequences: green's sequences stand where blue's stopped."""

from __future__ import annotations

from bluegreen.model import Plan, State, green
from bluegreen.switchover import sync_sequences

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return sync_sequences(databases(), Plan.of(state), green(state))
