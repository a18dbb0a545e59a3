"""WaitForUpgrade: green has its version and its parameters."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State
from bluegreen.rds.upgrade import require_upgraded

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return asdict(require_upgraded(client("rds"), Plan.of(state), state["upgrade"]["version"]))
