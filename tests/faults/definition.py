"""What the definition of the state machine says about its states, so that a new one is covered by being there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("statemachine")
DEFINITION = json.loads((FOLDER / "release.asl.json").read_text(encoding="utf-8"))
RECOVERS = (FOLDER / "recovery.asl.json").is_file()
"""Whether something finishes what an execution that ended left undone. Without it a person does, by the runbook."""

HAS_ATTEMPTS = "max_attempts" in (FOLDER / "release-input.schema.json").read_text(encoding="utf-8")
"""Whether a release asks for approval again after an abort, unless its input limits that."""

PROVES_ACCESS = "require_no_access" in Path("lambdas/bluegreen/freeze.py").read_text(encoding="utf-8")
"""Whether a role that was made during the freeze is noticed."""

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


def _next(state: dict[str, Any]) -> list[str]:
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    return [
        *choices,
        *([state["Default"]] if "Default" in state else []),
        *([state["Next"]] if "Next" in state else []),
    ]


def _functions(states: dict[str, Any], names: list[str], within: str = "", caught: str = "") -> Iterator[State]:
    """The states among these, and in their branches, that run a function."""
    for name in names:
        state = states[name]
        top = within or name
        after = next((c["Next"] for c in state.get("Catch", []) if "States.ALL" in c["ErrorEquals"]), caught)
        for branch in state.get("Branches", []):
            yield from _functions(branch["States"], _reached(branch["States"], branch["StartAt"]), top, after)
        if str(state.get("Resource", "")).startswith("${"):
            errors = [error for retry in state.get("Retry", []) for error in retry["ErrorEquals"]]
            yield State(name, top, after, "States.Timeout" in errors)


def _reached(states: dict[str, Any], start: str) -> list[str]:
    """States in the order in which a release meets them, failures aside."""
    found: list[str] = []
    ahead = [start]
    while ahead:
        name = ahead.pop(0)
        if name not in found:
            found.append(name)
            ahead += _next(states[name])
    return found


_STATES: dict[str, Any] = DEFINITION["States"]
_FORWARD = [name for name in _reached(_STATES, DEFINITION["StartAt"]) if LAST in _reached(_STATES, name)]
WAY_FORWARD = list(_functions(_STATES, _FORWARD))
"""From PlanRelease to CompleteRelease, as a release that succeeds meets them."""

WAY_OUT = [s for s in _functions(_STATES, list(_STATES)) if s.name not in {state.name for state in WAY_FORWARD}]
"""What only a release meets that fails."""

STATES = {state.name: state for state in [*WAY_FORWARD, *WAY_OUT]}
FORWARD_NAMES = [state.name for state in WAY_FORWARD]
_FREEZE_AT = [state.within for state in WAY_FORWARD].index(STATES[FREEZE].within)

SWITCHOVER = FORWARD_NAMES[_FREEZE_AT:]
"""From the freeze to the end."""

FROZEN = SWITCHOVER[: SWITCHOVER.index(COMMIT_POINT) + 1]
"""From the freeze to the opening, both included."""
