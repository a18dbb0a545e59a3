"""CheckBlue: finds what would break the release, before anything is touched."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.preflight import check_blue

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return check_blue(databases(), Plan.of(state))
