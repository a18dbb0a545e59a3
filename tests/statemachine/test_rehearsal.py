"""A rehearsal takes the way of a release up to the approval, plays the switchover, and cleans up."""

from __future__ import annotations

import json

import pytest

from tests.statemachine.conftest import PLAN, Machine
from tests.statemachine.test_paths import ABORT, CLEAN_UP, HAPPY, SIDE_BY_SIDE, way_out

PLAYED = ["RehearseSwitchover", "RehearseDns", "ReportRehearsal"]
REPORT = {"subject": "Rehearsed: release 20261123-0405-abcdef", "text": 'It\'s {0} "s"', "figures": {"dns_s": 1.5}}


@pytest.fixture
def machine(machine: Machine) -> Machine:
    """The machine, whose releases are rehearsals."""
    machine.results = {"PlanRelease": PLAN | {"mode": "rehearsal"}, "ReportRehearsal": REPORT}
    return machine


def test_a_rehearsal_is_played_and_leaves_nothing(machine: Machine) -> None:
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert json.loads(release.describe()["output"]) == REPORT["figures"]
    walked = [state for state in states if state not in SIDE_BY_SIDE]
    prepared = HAPPY[: HAPPY.index("DecideOnRehearsal") + 1]
    assert walked[: len(prepared)] == prepared
    way = [*PLAYED, "RehearsalPlayed", *ABORT[2:], *CLEAN_UP[:-3], "NotifyRehearsed", "TellRehearsed", "Rehearsed"]
    assert walked[len(prepared) :] == way
    (mail,) = release.mails()
    assert mail.subject == REPORT["subject"]
    assert mail.body.startswith(str(REPORT["text"]))


@pytest.mark.parametrize("name", PLAYED)
def test_what_fails_in_a_rehearsal_ends_it_as_a_release(machine: Machine, name: str) -> None:
    machine.faults[name] = ["SomethingIsWrong"]
    release, states = machine.run()
    assert release.failure().startswith("SomethingIsWrong")
    expected = way_out("GatherEvidence")
    assert states[-len(expected) :] == expected


def test_a_rehearsal_that_cannot_be_cleaned_up_calls_for_a_person(machine: Machine) -> None:
    machine.faults["DeleteGreen"] = ["SomethingIsWrong"]
    release, _ = machine.run()
    assert release.describe()["error"] == "ReleaseUnfinished"
