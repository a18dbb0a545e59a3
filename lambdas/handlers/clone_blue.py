"""CloneBlue: a copy-on-write clone of blue, then its instances."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State
from bluegreen.rds.cloning import clone_blue

from .entry import Result, both_rds, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    return asdict(clone_blue(both_rds(plan), plan))
