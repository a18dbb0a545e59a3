"""A hook around the switchover: when it is called, and what becomes of a release when it fails."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from local.aws.environment import Answer, Function
from local.release import Release
from tests.statemachine.conftest import HOOK, RESULTS, Machine, order
from tests.statemachine.test_paths import ABORT, AGAIN, AROUND, CLEAN_UP, HAPPY, SIDE_BY_SIDE, TASKS

TAKEN_BACK = [*ABORT[:-1], "CallHookCalledOff", ABORT[-1]]
"""An abort whose hook had been called."""


@pytest.fixture
def machine(machine: Machine) -> Machine:
    """The machine, whose releases have a hook."""
    machine.call_hook()
    return machine


def fail(machine: Machine, monkeypatch: pytest.MonkeyPatch, *phases: str, error: str = "PageIsStuck") -> None:
    """Lets the hook fail in these phases, however often it is called."""

    def answer(function: Function, event: bytes) -> Answer:
        if function.name == HOOK and json.loads(event)["phase"] in phases:
            machine.calls[json.loads(event)["phase"]] += 1
            return Answer.failed(error, "nobody takes it down")
        return machine.answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", answer)


def run(machine: Machine, decision: str = "approve") -> tuple[Release, list[str]]:
    """A release to its end, and the states it went through one after the other."""
    release, states = machine.run(decision)
    return release, [state for state in states if state not in SIDE_BY_SIDE]


def phases(machine: Machine) -> list[str]:
    """In which the hook was called and did not fail."""
    return [asked["phase"] for asked in machine.asked_hook]


def subjects(release: Release) -> list[str]:
    return [mail.subject for mail in release.mails()]


def test_it_is_called_before_blue_is_looked_at_again_and_after_green_is_open(machine: Machine) -> None:
    release, states = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"
    assert [state for state in states if state not in AROUND] == HAPPY
    assert states[states.index("CallHookBeforeFreeze") + 1] == "RecheckReadiness"
    assert states[states.index("CallHookAfterOpening") - 2] == "TellOpened"
    assert states[states.index("CallHookAfterOpening") + 1] == "WaitForDns"
    before, after = machine.asked_hook
    assert before == order(release, "before_freeze")
    reached = {"host": "127.0.1.2", "port": 5432, "records": ["db.shop.internal", "db-ro.shop.internal"]}
    assert after == before | {"phase": "after_opening", "after_freeze": True} | reached


def test_its_veto_calls_the_attempt_off_before_anything_is_frozen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(machine, monkeypatch, "before_freeze", error="BatchIsRunning")
    release, states = run(machine)
    assert release.failure().startswith("BatchIsRunning")
    assert machine.calls["before_freeze"] == 1, "a veto is not asked for twice"
    assert states[states.index("CallHookBeforeFreeze") + 1 :] == [*TAKEN_BACK, *CLEAN_UP]
    assert "RecheckReadiness" not in states
    assert phases(machine) == ["called_off"], "it may have done half of it"


def test_a_call_that_never_came_to_run_is_made_again(machine: Machine) -> None:
    machine.faults[HOOK] = ["Lambda.ServiceException", "Lambda.TooManyRequestsException"]
    release, _ = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"


@pytest.mark.parametrize("failing", ["RecheckReadiness", "OpenGreen"])
def test_each_attempt_that_is_called_off_takes_back_what_it_did(machine: Machine, failing: str) -> None:
    machine.faults[failing] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, states = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"
    asked = [(asked["phase"], asked["attempt"]) for asked in machine.asked_hook]
    assert asked == [("before_freeze", 1), ("called_off", 1), ("before_freeze", 2), ("after_opening", 2)]
    called_off = states.index("AbortSwitchover")
    assert states[called_off : called_off + len(TAKEN_BACK) + len(AGAIN)] == [*TAKEN_BACK, *AGAIN]


def test_an_attempt_that_never_came_to_it_takes_nothing_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    release, _ = run(machine, "reject")
    assert release.failure().startswith("ReleaseRejected")
    assert machine.asked_hook == []
    machine.faults = {"OpenGreen": ["SomethingIsWrong"]}
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    answer = machine.answer

    def fail_in_the_second(function: Function, event: bytes) -> Answer:
        if function.name == "GatherEvidence" and json.loads(event)["plan"]["attempt"] == 2:
            return Answer.failed("SomethingElse", "in the second attempt")
        return answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", fail_in_the_second)
    release, states = run(machine)
    assert release.failure().startswith("SomethingElse")
    assert phases(machine) == ["before_freeze", "called_off"]
    assert states.count("DecideOnHookCalledOff") == 2


def test_after_the_opening_a_failure_is_told_at_once_and_the_release_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(machine, monkeypatch, "after_opening")
    release, states = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.calls["after_opening"] == 3, "it was tried again"
    assert [state for state in states if state not in AROUND] == HAPPY
    assert states[states.index("CallHookAfterOpening") + 1 :][:2] == ["NotifyHookFailure", "WaitForDns"]
    (mail,) = (mail for mail in release.mails() if mail.subject == "The hook of shop failed after the opening")
    assert "PageIsStuck" in mail.body
    assert "nobody takes it down" in mail.body
    assert machine.events["CompleteRelease"]["hook_failure"]["Error"] == "PageIsStuck"


def test_on_the_way_back_a_failure_is_told_and_keeps_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(machine, monkeypatch, "called_off")
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    release, states = run(machine)
    assert release.describe()["error"] == "SomethingIsWrong"
    assert machine.calls["called_off"] == 3
    expected = [*TAKEN_BACK[:-1], "NotifyHookNotCalledOff", ABORT[-1], *CLEAN_UP]
    assert states[states.index("AbortSwitchover") :] == expected
    assert "The hook of shop failed on the way back" in subjects(release)
    failure = machine.events["ReleaseLock"]["state"]["failure"]
    assert (failure["Error"], failure["hook_failure"]["Error"]) == ("SomethingIsWrong", "PageIsStuck")


def test_what_it_could_not_take_back_is_no_news_in_the_next_attempt(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(machine, monkeypatch, "called_off")
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, _ = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.events["GatherEvidence"]["failure"]["hook_failure"]["Error"] == "PageIsStuck"
    assert "hook_failure" not in machine.events["CompleteRelease"]


def test_a_hook_that_hangs_is_given_up_after_its_time(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ("CallHookBeforeFreeze", "CallHookAfterOpening", "CallHookCalledOff"):
        assert TASKS[state]["TimeoutSecondsPath"] == "$.plan.hook_timeout_s"
    machine.results["PlanRelease"] |= {"hook_timeout_s": 1}
    called_off = threading.Event()

    def hang(function: Function, event: bytes) -> Answer:
        if function.name == HOOK and json.loads(event)["phase"] == "before_freeze":
            called_off.wait(timeout=60)
        elif function.name == HOOK:
            called_off.set()
        return machine.answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", hang)
    release, states = run(machine)
    assert release.failure().startswith("States.Timeout")
    assert called_off.is_set()
    assert "RecheckReadiness" not in states


@pytest.mark.parametrize("machine", ["release", "recovery"])
def test_what_a_wildcard_does_not_catch_of_the_customers_functions_is_named(machine: str) -> None:
    """An answer of more than 256 KB is an error that ``States.ALL`` does not match (Developer Guide, error names)."""
    states = json.loads(Path(f"statemachine/{machine}.asl.json").read_text(encoding="utf-8"))["States"].values()
    customers = [state for state in states if "$.plan" in state.get("Parameters", {}).get("FunctionName.$", "")]
    assert customers
    for state in customers:
        too_large, others = state["Catch"]
        assert others["ErrorEquals"] == ["States.ALL"]
        assert too_large == others | {"ErrorEquals": ["States.DataLimitExceeded"]}


def test_an_opening_whose_answer_was_lost_is_followed_by_the_hook(machine: Machine) -> None:
    machine.faults["OpenGreen"] = ["Sandbox.Timedout"] * 10
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"outcome": "open"}
    release, _ = run(machine)
    assert release.describe()["status"] == "SUCCEEDED"
    assert phases(machine) == ["before_freeze", "after_opening"]


def test_with_the_freeze_method_hook_the_application_is_back_before_what_surrounds_it_is_taken_back(
    machine: Machine,
) -> None:
    machine.results["PlanRelease"] |= {"freeze_method": "hook", "freeze_hook_function_arn": machine.hook_arn}
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    run(machine)
    first, second = phases(machine)[:4], phases(machine)[4:]
    assert first == ["before_freeze", "freeze", "aborted", "called_off"]
    assert second == ["before_freeze", "freeze", "opened", "after_opening"]
