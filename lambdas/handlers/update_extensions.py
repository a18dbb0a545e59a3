"""UpdateExtensions: green's extensions are those of its new version."""

from __future__ import annotations

from bluegreen.extensions import update_extensions
from bluegreen.model import Plan, State, green

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    return update_extensions(databases(), Plan.of(state), green(state))
