"""ApplyChanges: the scripts run on green, each once."""

from __future__ import annotations

from bluegreen.changes.applying import apply_changes
from bluegreen.model import Plan, State, green

from .entry import Result, client, databases, entry


@entry
def handler(state: State) -> Result:
    return {"scripts": apply_changes(databases(), client("s3"), Plan.of(state), green(state))}
