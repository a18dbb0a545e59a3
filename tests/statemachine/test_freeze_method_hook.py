"""The freeze method hook: the application stops before the freeze, and starts again whatever comes of it."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from local.aws.environment import Answer, Function
from tests.statemachine.conftest import HOOK, RESULTS, Machine, order
from tests.statemachine.test_paths import ABORT, CLEAN_UP, HAPPY, SIDE_BY_SIDE, UNFINISHED, WITH_HOOK


def test_a_hook_stops_the_application_before_the_freeze_and_starts_it_after_the_opening(machine: Machine) -> None:
    machine.use_hook()
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    walked = [state for state in states if state not in SIDE_BY_SIDE]
    assert [state for state in walked if state not in WITH_HOOK] == HAPPY
    assert walked[walked.index("StopApplication") + 1] == "FreezeBlue"
    assert walked[walked.index("StartApplication") - 2] == "OpenGreen"
    first, last = machine.asked_hook
    assert first == order(release, "freeze")
    assert last == first | {"phase": "opened", "after_freeze": True}
    assert datetime.fromisoformat(machine.events["FreezeBlue"]["stop"]["asked_at"])


def test_an_application_is_started_again_also_when_the_records_cannot_be_given_back(machine: Machine) -> None:
    machine.use_hook()
    machine.faults = {"VerifyCutover": ["SomethingIsWrong"], "RestoreDns": ["ThisAsWell"]}
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, states = machine.run()
    assert release.describe()["error"] == "ReleaseUnfinished"
    assert [asked["phase"] for asked in machine.asked_hook] == ["freeze", "aborted"]
    assert states.count("RequestApproval") == 1, "there is no next attempt while names lead to green"


def test_an_application_that_cannot_be_stopped_is_started_again_and_blue_never_frozen(machine: Machine) -> None:
    machine.use_hook()
    machine.faults[HOOK] = ["DeploymentIsStuck"]
    release, states = machine.run()
    assert release.failure().startswith("DeploymentIsStuck")
    restart = ABORT.index("DecideOnRestart") + 1
    expected = [*ABORT[:restart], "RestartApplication", *ABORT[restart:], *CLEAN_UP]
    assert states[states.index("StopApplication") + 1 :] == expected
    assert [asked["phase"] for asked in machine.asked_hook] == ["freeze", "aborted"]
    assert "FreezeBlue" not in states


def test_an_abort_starts_the_application_again_after_the_record_is_back(machine: Machine) -> None:
    machine.use_hook()
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    release, states = machine.run()
    assert release.failure().startswith("SomethingIsWrong")
    assert states.index("AbortSwitchover") < states.index("RestoreDns") < states.index("RestartApplication")
    assert [asked["phase"] for asked in machine.asked_hook] == ["freeze", "aborted"]


def test_each_attempt_stops_and_starts_the_application(machine: Machine) -> None:
    machine.use_hook()
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, _ = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    asked = [(asked["phase"], asked["attempt"]) for asked in machine.asked_hook]
    assert asked == [("freeze", 1), ("aborted", 1), ("freeze", 2), ("opened", 2)]


def test_an_opening_whose_answer_was_lost_starts_the_application(machine: Machine) -> None:
    machine.use_hook()
    machine.faults["OpenGreen"] = ["Sandbox.Timedout"] * 10
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"outcome": "open"}
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states.index("ResumeOpening") < states.index("StartApplication")
    assert [asked["phase"] for asked in machine.asked_hook] == ["freeze", "opened"]


def test_a_release_that_never_came_to_stop_the_application_does_not_start_it(machine: Machine) -> None:
    machine.use_hook()
    machine.run("reject")
    machine.faults["WarmFunctions"] = ["SomethingIsWrong"]
    machine.run()
    assert machine.asked_hook == []


@pytest.mark.parametrize(("failing", "outcome"), [("OpenGreen", "aborted"), ("WaitForDns", "opened")])
def test_an_application_that_cannot_be_started_calls_for_a_person(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, failing: str, outcome: str
) -> None:
    machine.use_hook()
    machine.faults[failing] = ["SomethingIsWrong"]

    def answer(function: Function, event: bytes) -> Answer:
        if function.name == HOOK and json.loads(event)["phase"] == outcome:
            machine.calls[HOOK] += 1
            return Answer.failed("NoNodes", "no room")
        return machine.answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", answer)
    release, states = machine.run()
    assert release.describe()["error"] == "ReleaseUnfinished"
    assert states[-len(UNFINISHED) :] == UNFINISHED
    assert machine.calls[HOOK] == 1 + 6, "it was tried again and again"
    assert any("NoNodes" in mail.body and "act now" in mail.subject for mail in release.mails())


def test_a_hook_that_is_busy_with_an_earlier_order_is_asked_again_for_long(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.use_hook()
    machine.faults["FreezeBlue"] = ["SomethingIsWrong"]
    busy = iter([None] + ["Lambda.TooManyRequestsException"] * 20)

    def answer(function: Function, event: bytes) -> Answer:
        error = next(busy, None) if function.name == HOOK else None
        return Answer.failed(error, "busy") if error else machine.answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", answer)
    release, _ = machine.run()
    assert release.failure().startswith("SomethingIsWrong")
    assert [asked["phase"] for asked in machine.asked_hook] == ["freeze", "aborted"]
