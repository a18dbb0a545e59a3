"""How many function tasks stand one after another from the freeze to the opening, counted in the definition itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEFINITION = Path(__file__).parents[1] / "statemachine" / "release.asl.json"
Machine = dict[str, Any]


def critical_path(machine: Machine, first: str, last: str) -> list[str]:
    """The longest chain of function tasks from the state `first` to the state `last`, both counted.

    Either may be inside a Parallel state: of the states beside `first`, and before it in its branch, none counts, since
    they can be over by then; of a Parallel state on the way, its longest branch does. Errors and retries do not count,
    and a Choice counts with its longest way. Raises ``ValueError`` when no way leads from one to the other.
    """
    tasks = _after(machine, first, last)
    if tasks is None or last not in tasks:
        raise ValueError(f"no way leads from {first} to {last}")
    return tasks


def load() -> Machine:
    """The definition of a release."""
    machine: Machine = json.loads(DEFINITION.read_text(encoding="utf-8"))
    return machine


def _after(machine: Machine, first: str, last: str) -> list[str] | None:
    """The longest way through a machine or branch; before `first` nothing counts. None when `first` never came."""
    if first in machine["States"]:
        return _longest(machine["States"], first, last)
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            inside = _after(branch, first, last)
            if inside is not None:
                rest = [] if last in inside else _follow(machine["States"], state, last)
                return inside + rest
    return None


def _longest(states: Machine, name: str, last: str, behind: frozenset[str] = frozenset()) -> list[str]:
    if name in behind:  # a way back, as to another approval
        return []
    state = states[name]
    here: list[str] = []
    if state["Type"] == "Task":
        here = [name] if _is_function(state) else []
    elif state["Type"] == "Parallel":
        branches = (_longest(branch["States"], branch["StartAt"], last) for branch in state["Branches"])
        here = max(branches, key=len)
    if last in here or name == last:
        return here
    return here + _follow(states, state, last, behind | {name})


def _follow(states: Machine, state: Machine, last: str, behind: frozenset[str] = frozenset()) -> list[str]:
    """The longest continuation, of those that reach `last` if any does."""
    successors = [state["Next"]] if "Next" in state else []
    successors += [choice["Next"] for choice in state.get("Choices", [])]
    successors += [state["Default"]] if "Default" in state else []
    ways = [_longest(states, successor, last, behind) for successor in successors]
    return max(ways, key=lambda way: (last in way, len(way)), default=[])


def _is_function(state: Machine) -> bool:
    return "FunctionArn}" in state["Resource"] or ":function:" in state["Resource"]
