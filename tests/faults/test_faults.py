"""One release for each: a fault in a state, or a situation around it, and the check of everything that must hold.

Both in one file, so that they share a world.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.functions import Fault
from tests.e2e.conftest import HOOK
from tests.faults.definition import COMMIT_POINT, FORWARD_NAMES, FREEZE, OF_REGIONS, REHEARSAL, STATES, State
from tests.faults.matrix import Recorder
from tests.faults.situations import DRAIN, SITUATIONS, Situation
from tests.faults.stage import Stage
from tests.faults.trial import FREEZE_BUDGET_S, SHORT_BUDGET_S

FAULTS: tuple[Fault, ...] = ("raise", "kill_before", "kill_after", "twice", "time_out")
"""What befalls a function."""

STOPS = ("stopped_before", "stopped_after")
"""The execution is stopped by hand when the function has been called, and it runs all the same, or when it has run."""


AWAY = "eu-west-1"
"""The Region of production's secondary, where there is one."""


def ends_on(state: State, fault: str) -> str:
    """Where a release ends in which this happens once: on green where it is tried again, or after the opening."""
    opened = FORWARD_NAMES.index(COMMIT_POINT)
    if state.name not in FORWARD_NAMES:
        return "blue"
    place = FORWARD_NAMES.index(state.name)
    if fault == "stopped_before" and state.name == COMMIT_POINT:
        return "either side"  # the recovery and the function, which nobody stops, compete for it
    if fault in STOPS:
        return "green" if place >= opened else "blue"
    if fault == "time_out" and not state.retries_timeout:  # the short budget may be over before
        return "either side" if place >= opened else "blue"
    if fault == "raise":
        return "green" if place > opened or state.after_failure in FORWARD_NAMES else "blue"
    return "green"


FAULTS_IN_SHORT = {
    ("VerifyCutover", "raise"),
    ("OpenGreen", "stopped_before"),
    ("DropSubscriptions", "raise"),
}
"""Those that end a release or need somebody to finish it; what is tried again is in ``test_accidents``."""

FAULT_CASES = [
    pytest.param(
        state,
        fault,
        id=f"{state.name}-{fault}",
        marks=[] if (state.name, fault) in FAULTS_IN_SHORT else pytest.mark.whole,
    )
    for state in STATES.values()
    for fault in (*FAULTS, *STOPS)
]


@pytest.mark.parametrize(("state", "fault"), FAULT_CASES)
def test_a_release_survives_a_fault_in_any_state(stage: Stage, matrix: Recorder, state: State, fault: Any) -> None:
    matrix.tries(fault, state.name)
    with stage.trial(AWAY if state.name in OF_REGIONS else "") as trial:
        mode = "rehearsal" if state.name in REHEARSAL else "release"
        if state.name not in FORWARD_NAMES and mode == "release":
            trial.strike(COMMIT_POINT, "raise")
        match fault:
            case "stopped_before":
                trial.at(state.name, before=trial.stop_execution)
            case "stopped_after":
                trial.at(state.name, after=trial.stop_execution)
            case _:
                trial.strike(state.name, fault)
        runs_into_budget = fault == "time_out" and not state.retries_timeout
        trial.run(freeze_budget_s=SHORT_BUDGET_S if runs_into_budget else FREEZE_BUDGET_S, mode=mode)
        trial.check(ends_on(state, fault))
        matrix.frozen(trial.frozen_s)


HOOK_PHASES = ("before_freeze", "after_opening", "called_off")


def hook_ends_on(phase: str, fault: str) -> str:
    """Where a release ends in which this happens to the hook: before the freeze an error of its own is its veto."""
    if phase == "before_freeze":
        return "blue" if fault in ("raise", "time_out", *STOPS) else "green"
    return "green" if phase == "after_opening" else "blue"


@pytest.mark.whole
@pytest.mark.parametrize("fault", [*FAULTS, *STOPS])
@pytest.mark.parametrize("phase", HOOK_PHASES)
def test_a_release_survives_a_fault_of_its_hook(stage: Stage, matrix: Recorder, phase: str, fault: Any) -> None:
    matrix.tries(fault, f"hook, {phase}")
    unless = b"" if phase == "before_freeze" else b'"before_freeze"'
    with stage.trial() as trial:
        if phase == "called_off":
            trial.strike(COMMIT_POINT, "raise")
        functions = trial.running.emulator.functions
        match fault:
            case "stopped_before":
                functions.during(HOOK, before=trial.stop_execution, unless=unless)
            case "stopped_after":
                functions.during(HOOK, after=trial.stop_execution, unless=unless)
            case _:
                functions.inject(HOOK, fault, unless=unless, after_s=0.05)
        trial.run()
        trial.check(hook_ends_on(phase, fault))
        matrix.frozen(trial.frozen_s)


AT_ONCE = ("superuser session", "idle in transaction", "lock held on blue", "client reconnects in a tight loop")
"""What leaves the release on its way can happen in one."""

SITUATIONS_IN_SHORT = {
    ("green crashes", DRAIN),
    ("green and blue cut for good", DRAIN),
    ("slot dropped", DRAIN),
    ("subscriber conflict", FREEZE),
    ("role created during the freeze", "VerifyCutover"),
}

SITUATION_CASES = [
    pytest.param(
        situation,
        moment,
        id=f"{situation.name} before {moment}",
        marks=[] if (situation.name, moment) in SITUATIONS_IN_SHORT else pytest.mark.whole,
    )
    for situation in SITUATIONS
    for moment in situation.moments
]


@pytest.mark.parametrize(("situation", "moment"), SITUATION_CASES)
def test_a_release_survives_what_happens_around_it(
    stage: Stage, matrix: Recorder, situation: Situation, moment: str
) -> None:
    matrix.happens(situation.name, moment)
    with stage.trial() as trial:
        situation.prepare(trial)
        trial.at(moment, before=lambda: situation.happen(trial))
        trial.run(freeze_budget_s=situation.freeze_budget_s)
        situation.put_right(trial)
        trial.check(situation.ends_on)
        matrix.frozen(trial.frozen_s)


def test_a_release_survives_much_at_once(stage: Stage, matrix: Recorder) -> None:
    for name in AT_ONCE:
        matrix.happens(name, FREEZE)
    matrix.happens("DNS change refused once", "FlipDns")
    by_name = {situation.name: situation for situation in SITUATIONS}
    with stage.trial() as trial:
        trial.at(FREEZE, before=lambda: [by_name[name].happen(trial) for name in AT_ONCE])
        trial.at("FlipDns", before=lambda: by_name["DNS change refused once"].happen(trial))
        trial.run()
        trial.check("green")
        matrix.frozen(trial.frozen_s)
