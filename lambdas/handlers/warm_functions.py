"""WarmFunctions: the functions of the switchover are started, secrets read, connections open."""

from __future__ import annotations

from bluegreen.model import State
from bluegreen.warming import warm

from .entry import Result, client, entry, json_setting


@entry
def handler(state: State) -> Result:
    return {"warmed": warm(client("lambda"), json_setting("WARM_FUNCTIONS"), state)}
