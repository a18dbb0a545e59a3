"""FreezeBlue: nobody can connect any more, by one transaction; every session ends, and that is proven."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.freeze import counted_from, freeze_blue
from bluegreen.model import Plan, State

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    frozen = freeze_blue(databases(), plan, counted_from(plan, state))
    return asdict(frozen) | {"roles": len(frozen.roles)}  # their names are in the freeze record
