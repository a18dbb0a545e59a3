"""FreezeBlue: every role loses LOGIN in one transaction, every session ends, and that is proven."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.budget import whole_time_left_s
from bluegreen.freeze import freeze_blue
from bluegreen.model import Plan, State

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    frozen = freeze_blue(databases(), plan)
    names_are_in_the_freeze_record = {"roles": len(frozen.roles)}
    return asdict(frozen) | names_are_in_the_freeze_record | {"left_s": whole_time_left_s(databases(), plan)}
