"""OpenGreen: the commit point; one transaction on green gives the roles their LOGIN back."""

from __future__ import annotations

from dataclasses import asdict

from bluegreen.model import Plan, State, green
from bluegreen.switchover import open_green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    opening = open_green(databases(), Plan.of(state), green(state))
    return asdict(opening) | {"roles": len(opening.roles)}
