"""What the definition of the state machine says about its states, so that a new one is covered by being there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFINITION = json.loads(Path("statemachine/release.asl.json").read_text(encoding="utf-8"))
LAST, COMMIT_POINT, FREEZE, UNFINISHED = "CompleteRelease", "OpenGreen", "FreezeBlue", "NotifyUnfinished"


@dataclass(frozen=True, slots=True)
class State:
    """A state that runs a function: where an error that nobody expects leads, and whether a timeout is tried again.

    ``within`` is the state itself, or the one in whose branches it is.
    """

    name: str
    within: str
    after_failure: str
    retries_timeout: bool


def _functions(states: dict[str, Any], within: str = "", caught: str = "") -> Iterator[State]:
    """The states among these, and in their branches, that run a function of ours."""
    for name, state in states.items():
        top = within or name
        after = next((c["Next"] for c in state.get("Catch", []) if "States.ALL" in c["ErrorEquals"]), caught)
        for branch in (*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])):
            yield from _functions(branch["States"], top, after)
        waits = str(state.get("Resource", "")).endswith(".waitForTaskToken")
        called = state["Parameters"]["FunctionName"] if waits else state.get("Resource", "")
        if called == f"${{{name}FunctionArn}}":
            errors = [error for retry in state.get("Retry", []) for error in retry["ErrorEquals"]]
            # The time of a state that waits for people is theirs; that of its function is Lambda's alone.
            yield State(name, top, after, ("Sandbox.Timedout" if waits else "States.Timeout") in errors)


_ALL = list(_functions(DEFINITION["States"]))
_ENDS_AT = [state.name for state in _ALL].index(LAST) + 1

WAY_FORWARD = _ALL[:_ENDS_AT]
"""From PlanRelease to CompleteRelease: the definition reads downwards."""


def _rehearsal() -> Iterator[str]:
    [rehearsed] = DEFINITION["States"]["DecideOnRehearsal"]["Choices"]
    name = rehearsed["Next"]
    while (state := DEFINITION["States"][name])["Type"] == "Task":
        yield name
        name = state["Next"]


REHEARSAL = list(_rehearsal())
"""What only a rehearsal meets."""

WAY_OUT = [state for state in _ALL[_ENDS_AT:] if state.name not in REHEARSAL]
"""What only a release meets that fails."""

OF_REGIONS = {"CreateGlobalCluster", "CreateSecondary", "WaitForSecondary", "WaitForGlobalLag"}
"""What only the release of a global database meets."""

STATES = {state.name: state for state in _ALL}
FORWARD_NAMES = [state.name for state in WAY_FORWARD]
_FREEZE_AT = [state.within for state in WAY_FORWARD].index(STATES[FREEZE].within)

SWITCHOVER = FORWARD_NAMES[_FREEZE_AT:]
"""From the freeze to the end."""

FROZEN = SWITCHOVER[: SWITCHOVER.index(COMMIT_POINT) + 1]
"""From the freeze to the opening, both included."""
