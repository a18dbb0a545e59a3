"""Every state, every fault of its function, one release each; in short, the errors that no retry expects."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.functions import Fault
from tests.faults.definition import COMMIT_POINT, FORWARD_NAMES, RECOVERS, STATES, UNFINISHED, State
from tests.faults.matrix import Recorder
from tests.faults.stage import Stage
from tests.faults.trial import FREEZE_BUDGET_S, SHORT_BUDGET_S

FAULTS: tuple[Fault, ...] = ("raise", "kill_before", "kill_after", "twice", "time_out")
"""What befalls a function. Beside it, ``stopped``: the execution is stopped by hand when it has run."""


def writer_after(state: State, fault: str) -> str:
    """Where a release ends in which this happens once: on green where it is tried again, or after the opening."""
    is_open = state.name in FORWARD_NAMES[FORWARD_NAMES.index(COMMIT_POINT) :]
    if state.name not in FORWARD_NAMES:
        return "blue"
    if fault == "stopped":
        return "green" if is_open else "blue"
    if fault == "raise" or (fault == "time_out" and not state.retries_timeout):
        goes_on = state.after_failure in FORWARD_NAMES
        has_opened = is_open and (state.name != COMMIT_POINT or fault == "time_out")
        return "green" if goes_on or has_opened else "blue"
    return "green"


def is_finished(state: State, fault: str) -> bool:
    """Whether the release comes to an end of its own, so that nobody has to finish it."""
    return fault != "stopped" and not (fault == "raise" and state.after_failure == UNFINISHED)


IN_SHORT = {
    ("CreateSlots", "raise"),
    ("FreezeBlue", "raise"),
    ("SyncSequences", "time_out"),
    ("VerifyCutover", "raise"),
    ("OpenGreen", "time_out"),
    ("WaitForDrain", "stopped"),
    ("OpenGreen", "stopped"),
    ("DropSubscriptions", "raise"),
}
"""Those that end a release or need somebody to finish it; what is tried again is in ``test_accidents``."""

CASES = [
    pytest.param(
        state,
        fault,
        id=f"{state.name}-{fault}",
        marks=[] if (state.name, fault) in IN_SHORT else pytest.mark.whole,
    )
    for state in STATES.values()
    for fault in (*FAULTS, "stopped")
    if RECOVERS or is_finished(state, fault)
]


@pytest.mark.parametrize(("state", "fault"), CASES)
def test_a_release_survives_a_fault_in_any_state(stage: Stage, matrix: Recorder, state: State, fault: Any) -> None:
    matrix.tries(fault, state.name)
    with stage.trial() as trial:
        if state.name not in FORWARD_NAMES:
            trial.strike(COMMIT_POINT, "raise")
        if fault == "stopped":
            trial.at(state.name, after=trial.stop_execution)
        else:
            trial.strike(state.name, fault)
        runs_into_budget = fault == "time_out" and not state.retries_timeout
        trial.run(freeze_budget_s=SHORT_BUDGET_S if runs_into_budget else FREEZE_BUDGET_S)
        trial.check(writer_after(state, fault))
        matrix.frozen(trial.frozen_s)
