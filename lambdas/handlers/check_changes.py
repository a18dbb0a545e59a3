"""CheckChanges: the scripts for green are read and held against the rules, before anything is touched."""

from __future__ import annotations

from bluegreen.changes.checking import check_changes
from bluegreen.model import Plan, State

from .entry import Result, client, databases, entry


@entry
def handler(state: State) -> Result:
    return dict(check_changes(databases(), client("s3"), Plan.of(state)))
