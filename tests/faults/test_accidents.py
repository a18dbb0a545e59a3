"""Functions that die, in every state at once: whenever it happens, the retried function comes to the same result."""

from __future__ import annotations

import random
from typing import Any

import pytest

from local.aws.functions import Fault
from tests.faults.definition import COMMIT_POINT, FORWARD_NAMES, STATES, WAY_OUT
from tests.faults.matrix import Recorder
from tests.faults.stage import Stage
from tests.faults.trial import Trial

ACCIDENTS: tuple[Fault, ...] = ("kill_before", "kill_during", "kill_after", "twice", "time_out")


def short(*faults: Fault) -> list[Any]:
    """All accidents, of which these are in the short form."""
    return [pytest.param(fault, marks=[] if fault in faults else pytest.mark.whole) for fault in ACCIDENTS]


def strike_all(trial: Trial, matrix: Recorder, states: list[str], fault: Fault) -> None:
    """One accident in each state; a timeout where it is tried again."""
    states = [name for name in states if fault != "time_out" or STATES[name].retries_timeout]
    matrix.tries(fault, *states)
    moments = random.Random(fault)  # noqa: S311 - the same in every run
    for name in states:
        trial.strike(name, fault, after_s=moments.uniform(0, 0.05))


@pytest.mark.parametrize("fault", short("kill_before", "kill_after", "twice"))
def test_a_release_in_which_every_function_has_an_accident_loses_nothing(
    stage: Stage, matrix: Recorder, fault: Fault
) -> None:
    with stage.trial() as trial:
        strike_all(trial, matrix, FORWARD_NAMES, fault)
        trial.run()
        trial.check("green")
        matrix.frozen(trial.frozen_s)


@pytest.mark.parametrize("fault", short("kill_after", "twice"))
def test_a_way_out_in_which_every_function_has_an_accident_leaves_nothing(
    stage: Stage, matrix: Recorder, fault: Fault
) -> None:
    with stage.trial() as trial:
        trial.strike(COMMIT_POINT, "raise")
        strike_all(trial, matrix, [state.name for state in WAY_OUT], fault)
        trial.run()
        trial.check("blue")
        matrix.frozen(trial.frozen_s)
