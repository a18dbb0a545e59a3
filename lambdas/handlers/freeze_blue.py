"""FreezeBlue: every role loses LOGIN in one transaction, every session ends, and that is proven."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.freeze import freeze_blue
from bluegreen.model import Plan, State

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    frozen = freeze_blue(databases(), Plan.of(state))
    return asdict(frozen) | {"roles": len(frozen.roles)}  # their names are in the freeze record
