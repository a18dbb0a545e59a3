"""GatherEvidence: what the approver decides on, measured now."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.evidence import gather
from bluegreen.model import Plan, State, green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return asdict(gather(databases(), Plan.of(state), green(state), state))
