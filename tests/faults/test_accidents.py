"""Functions that die, in every state at once: whenever it happens, the retried function comes to the same result."""

from __future__ import annotations

import itertools
import random

import pytest

from local.aws.functions import Fault
from tests.faults.definition import COMMIT_POINT, FORWARD_NAMES, OF_REGIONS, REHEARSAL, STATES, WAY_OUT
from tests.faults.matrix import Recorder
from tests.faults.stage import Stage
from tests.faults.trial import Trial

ACCIDENTS: tuple[Fault, ...] = ("kill_before", "kill_during", "kill_after", "twice", "time_out")


CASES = [pytest.param((fault,), id=fault, marks=pytest.mark.whole) for fault in ACCIDENTS] + [
    pytest.param(("kill_after", "twice"), id="in turn")
]


def strike_all(trial: Trial, matrix: Recorder, states: list[str], faults: tuple[Fault, ...]) -> None:
    """One accident in each state, of these in turn; a timeout where it is tried again."""
    moments = random.Random(faults[0])  # noqa: S311 - the same in every run
    for name, fault in zip(states, itertools.cycle(faults), strict=False):
        if fault != "time_out" or STATES[name].retries_timeout:
            matrix.tries(fault, name)
            trial.strike(name, fault, after_s=moments.uniform(0, 0.05))


@pytest.mark.parametrize("faults", CASES)
def test_a_release_in_which_every_function_has_an_accident_loses_nothing(
    stage: Stage, matrix: Recorder, faults: tuple[Fault, ...]
) -> None:
    with stage.trial() as trial:
        strike_all(trial, matrix, [name for name in FORWARD_NAMES if name not in OF_REGIONS], faults)
        trial.run()
        trial.check("green")
        matrix.frozen(trial.frozen_s)


@pytest.mark.parametrize("faults", CASES)
def test_a_rehearsal_in_which_every_function_has_an_accident_leaves_nothing(
    stage: Stage, matrix: Recorder, faults: tuple[Fault, ...]
) -> None:
    with stage.trial() as trial:
        strike_all(trial, matrix, REHEARSAL, faults)
        described = trial.run(mode="rehearsal")
        assert described["status"] == "SUCCEEDED"
        trial.check("blue")


@pytest.mark.parametrize("faults", CASES)
def test_a_way_out_in_which_every_function_has_an_accident_leaves_nothing(
    stage: Stage, matrix: Recorder, faults: tuple[Fault, ...]
) -> None:
    with stage.trial() as trial:
        trial.strike(COMMIT_POINT, "raise")
        strike_all(trial, matrix, [state.name for state in WAY_OUT], faults)
        trial.run()
        trial.check("blue")
        matrix.frozen(trial.frozen_s)
