"""CloneBlue: a copy-on-write clone of blue, then its instances."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State
from bluegreen.rds.aurora import clone_blue

from .entry import Result, client, entry


@entry
def handler(state: State) -> Result:
    return asdict(clone_blue(client("rds"), Plan.of(state)))
