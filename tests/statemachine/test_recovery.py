"""Every path through the recovery: nothing to do, undone, finished, and failing at each state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.emulator import Emulator
from local.release import Mail, Release
from tests.statemachine.conftest import HOOK, PLAN, RESULTS, Machine
from tests.statemachine.test_global import AFTER_CUTOVER
from tests.statemachine.test_paths import TOLD, walk

RECOVERY = Path("statemachine/recovery.asl.json")
STATES: dict[str, Any] = json.loads(RECOVERY.read_text(encoding="utf-8"))["States"]
RELEASE: dict[str, Any] = json.loads(Path("statemachine/release.asl.json").read_text(encoding="utf-8"))["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTIONS = [name for name, state in TASKS.items() if "FunctionArn" in state["Resource"]]

DEAD = "arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:dead"
FOUND = {
    "execution_arn": DEAD,
    "failure": {"Error": "ABORTED", "Cause": ""},
    "plan": PLAN | {"execution_arn": DEAD},
    "green": RESULTS["WaitForGreen"],
    "functions_ended_at": "2026-01-01T00:00:00Z",
    "functions_have_ended": True,
}
UNDO = FOUND | {"decision": {"action": "undo", "reason": "Blue was {frozen}, it's said."}}
FINISH = FOUND | {"decision": {"action": "finish", "reason": "Green was open."}}
LATE = FINISH | {"plan": FOUND["plan"] | AFTER_CUTOVER}
NOTHING = {"execution_arn": DEAD, "decision": {"action": "nothing", "reason": "It runs."}}

WAY_BACK = ["AbortSwitchover", "DecideOnAbort", "RestoreDns", "DecideOnRestart"]
WAY_BACK += ["DecideOnHookCalledOff", "CanAFunctionStillRun"]
UNDONE = ["CleanUpReplication", "DeleteGreen", *TOLD, "NotifyUndone", "TellUndone", "ReleaseUndone"]
FINISHED = ["DecideOnStart", "DecideOnHookAfterOpening", "RestoreTtl", "DropSubscriptions"]
FINISHED += ["DecideOnLateGlobalize", "UntagGreen", "CompleteRelease"]
FINISHED += [*TOLD, "NotifyFinished", "TellFinished", "ReleaseFinished"]
UNRECOVERED = ["NotifyUnrecovered", "TellUnrecovered", "RecoveryFailed"]
GLOBAL = ["CreateGlobalCluster", "CreateSecondaries", "CreateSecondary", "WaitForSecondary", "WaitForGlobalLag"]
LOOK = ["InspectRelease", "DecideOnFindings"]


@pytest.fixture(scope="module")
def _machine(_emulator: Emulator) -> Machine:
    return Machine(_emulator, RECOVERY)


def recover(machine: Machine, found: dict[str, Any]) -> tuple[Release, list[str]]:
    """A recovery to its end, and the states it went through."""
    machine.results = {
        "InspectRelease": found,
        "RestoreDns": {"change_ids": ["/change/C1"], "left_alone": []},
    } | machine.results
    recovery = machine.start({"execution_arn": DEAD, "status": "ABORTED"})
    recovery.wait()
    return recovery, [step.name for step in recovery.new_steps() if step.duration_s is None]


def mails(machine: Machine) -> list[Mail]:
    """All mails, oldest first."""
    return [Mail.read(path) for path in sorted((machine.emulator.folder / "mail").glob("*.eml"))]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_bound_a_retry_and_a_way_out(name: str) -> None:
    assert "TimeoutSeconds" in TASKS[name] or "TimeoutSecondsPath" in TASKS[name]
    assert TASKS[name]["Retry"]
    assert TASKS[name]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_tried_again_when_it_dies_or_cannot_reach_something(name: str) -> None:
    retried = {error for retry in TASKS[name]["Retry"] for error in retry["ErrorEquals"]}
    assert {"Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "States.Timeout"} <= retried
    assert {"DatabaseUnavailable", "AwsUnavailable", "Lambda.TooManyRequestsException"} <= retried


def test_it_calls_the_functions_of_the_release() -> None:
    release = dict(walk(RELEASE))
    for name in set(FUNCTIONS) - {"InspectRelease"}:
        assert TASKS[name]["Resource"] == release[name]["Resource"]
        assert TASKS[name]["TimeoutSeconds"] == release[name]["TimeoutSeconds"]


def test_when_there_is_nothing_to_do_nothing_is_called_and_nobody_told(machine: Machine) -> None:
    sent = len(mails(machine))
    recovery, states = recover(machine, NOTHING)
    assert states == [*LOOK, "NothingToRecover"]
    assert json.loads(recovery.describe()["output"]) == NOTHING["decision"]
    assert set(machine.calls) == {"InspectRelease"}
    assert machine.events["InspectRelease"]["input"] == {"execution_arn": DEAD, "status": "ABORTED"}
    assert len(mails(machine)) == sent


def test_a_release_is_undone_and_the_leads_are_told(machine: Machine) -> None:
    recovery, states = recover(machine, UNDO)
    assert states == [*LOOK, *WAY_BACK, *UNDONE]
    assert recovery.describe()["status"] == "SUCCEEDED"
    assert machine.events["AbortSwitchover"]["green"] == RESULTS["WaitForGreen"]
    assert machine.events["ReleaseLock"] == {
        "plan": UNDO["plan"],
        "execution_arn": DEAD,
        "failure": {"Error": "ABORTED", "Cause": ""},
    }
    mail = mails(machine)[-1]
    assert mail.subject == "Release of shop undone after its execution had ended"
    for said in (
        DEAD,
        "ABORTED: because the test wants it",
        "Blue was {frozen}, it's said.",
        "left alone: []",
        "1 roles",
        f"release {UNDO['plan']['release_id']} of shop, asked for by a test, ended",
    ):
        assert said in mail.body


def test_a_report_that_cannot_be_written_keeps_nobody_from_hearing_of_it(machine: Machine) -> None:
    machine.faults["WriteReport"] = ["SomethingIsWrong"]
    _, states = recover(machine, UNDO)
    assert states[-6] == "NoReport"
    assert states[-5:] == ["ReleaseLock", "DecideOnEnd", "NotifyUndone", "TellUndone", "ReleaseUndone"]
    assert "There is no report of it" in mails(machine)[-1].body
    asked = machine.events["WriteReport"]
    assert (asked["execution_arn"], asked["release_id"]) == (DEAD, PLAN["release_id"])
    assert asked["recovery_arn"] == asked["asked_by"] != DEAD


def test_a_green_that_never_was_is_no_obstacle(machine: Machine) -> None:
    _, states = recover(machine, UNDO | {"green": None})
    assert states[-1] == "ReleaseUndone"
    assert machine.events["RestoreDns"]["green"] is None


def test_blue_is_given_back_before_and_again_after_the_last_function_can_have_run(machine: Machine) -> None:
    _, states = recover(machine, UNDO | {"functions_have_ended": False})
    assert states == [*LOOK, *WAY_BACK, "WaitForFunctions", "FunctionsHaveEnded", *WAY_BACK, *UNDONE]


def test_a_release_whose_green_is_open_is_finished_and_blue_is_never_given_back(machine: Machine) -> None:
    recovery, states = recover(machine, FINISH)
    assert states == [*LOOK, *FINISHED]
    assert json.loads(recovery.describe()["output"]) == RESULTS["CompleteRelease"]
    mail = mails(machine)[-1]
    assert mail.subject == "Release of shop finished after its execution had ended"
    for said in (DEAD, "shop-green is production", "Green was open.", "41.5", "of shop, asked for by a test, ended"):
        assert said in mail.body


def test_a_release_that_was_to_make_secondaries_after_the_cutover_makes_them(machine: Machine) -> None:
    _, states = recover(machine, LATE)
    place = FINISHED.index("UntagGreen")
    assert states == [*LOOK, *FINISHED[:place], *GLOBAL, *FINISHED[place:]]


def test_a_green_that_turns_out_to_be_open_makes_the_undoing_a_finish(machine: Machine) -> None:
    machine.results["AbortSwitchover"] = {"outcome": "open", "decided_at": "2026-11-23T04:05:06+00:00", "roles": 0}
    _, states = recover(machine, UNDO)
    assert states == [*LOOK, "AbortSwitchover", "DecideOnAbort", *FINISHED]


@pytest.mark.parametrize(("found", "phase"), [(UNDO, "aborted"), (FINISH, "opened")])
def test_an_application_that_was_stopped_by_the_customers_function_is_started_again(
    machine: Machine, found: dict[str, Any], phase: str
) -> None:
    plan = PLAN | {"freeze_method": "hook", "freeze_hook_function_arn": machine.hook_arn, "green_identifier": "shop-g"}
    _, states = recover(machine, found | {"plan": plan, "green": None if found is UNDO else found["green"]})
    assert states[-1] in ("ReleaseUndone", "ReleaseFinished")
    (asked,) = machine.asked_hook
    assert (asked["phase"], asked["execution_arn"], asked["green"]) == (phase, DEAD, "shop-g")


def test_the_application_is_started_again_also_when_the_records_cannot_be_given_back(machine: Machine) -> None:
    plan = PLAN | {"freeze_method": "hook", "freeze_hook_function_arn": machine.hook_arn, "green_identifier": "shop-g"}
    machine.faults["RestoreDns"] = ["SomethingIsWrong"]
    recovery, _ = recover(machine, UNDO | {"plan": plan})
    assert recovery.describe()["error"] == "RecoveryFailed"
    assert [asked["phase"] for asked in machine.asked_hook] == ["aborted"]


def with_hook(machine: Machine, found: dict[str, Any]) -> dict[str, Any]:
    """What is found of a release that has a hook."""
    return found | {"plan": PLAN | {"hook_function_arn": machine.hook_arn}}


@pytest.mark.parametrize(
    ("found", "phase", "before"),
    [(UNDO, "called_off", "CanAFunctionStillRun"), (FINISH, "after_opening", "RestoreTtl")],
)
def test_the_hook_hears_of_it_and_the_green_that_is_gone_is_no_obstacle(
    machine: Machine, found: dict[str, Any], phase: str, before: str
) -> None:
    gone = {"green": None} if found is UNDO else {}
    recovery, states = recover(machine, with_hook(machine, found) | gone)
    assert states[-1] in ("ReleaseUndone", "ReleaseFinished")
    (asked,) = machine.asked_hook
    assert (asked["phase"], asked["execution_arn"], asked["green"]) == (phase, DEAD, "shop-green")
    assert ("host" in asked) == (found is FINISH)
    assert states[states.index(before) - 1].startswith("CallHook")
    assert recovery.describe()["status"] == "SUCCEEDED"


def test_the_hook_takes_back_once_more_what_a_late_call_of_it_may_have_done(machine: Machine) -> None:
    """Stopping an execution does not stop the hook that it had called before the freeze."""
    machine.faults[HOOK] = ["PageIsStuck"] * 3
    _, states = recover(machine, with_hook(machine, UNDO) | {"functions_have_ended": False})
    assert [asked["phase"] for asked in machine.asked_hook] == ["called_off"] * 4
    assert states.count("NotifyHookNotCalledOff") == 1
    assert machine.events["ReleaseLock"]["failure"] == FOUND["failure"] | {"hook_failure": {}}, "in the end it could"


@pytest.mark.parametrize(("found", "kept"), [(UNDO, "ReleaseLock"), (FINISH, "CompleteRelease")])
def test_a_hook_that_fails_is_told_and_keeps_nothing(machine: Machine, found: dict[str, Any], kept: str) -> None:
    machine.faults[HOOK] = ["PageIsStuck"] * 3
    _, states = recover(machine, with_hook(machine, found))
    assert states[-1] in ("ReleaseUndone", "ReleaseFinished")
    told = machine.events[kept]["failure"] if found is UNDO else machine.events[kept]
    assert told["hook_failure"]["Error"] == "PageIsStuck"
    body = next(mail.body for mail in reversed(mails(machine)) if "hook of shop failed" in mail.subject)
    assert "PageIsStuck" in body
    assert DEAD in body


def test_an_end_that_is_not_seen_yet_is_looked_at_again(machine: Machine) -> None:
    machine.faults["InspectRelease"] = ["ExecutionNotOver"] * 20
    recovery, _ = recover(machine, NOTHING)
    assert recovery.describe()["status"] == "SUCCEEDED"
    assert machine.calls["InspectRelease"] == 21


def test_functions_that_die_once_are_tried_again_and_nothing_else_changes(machine: Machine) -> None:
    for found, end in ((UNDO, "ReleaseUndone"), (FINISH, "ReleaseFinished")):
        machine.faults = {name: ["Runtime.ExitError"] for name in FUNCTIONS}
        machine.results = {}
        _, states = recover(machine, found)
        assert states[-1] == end


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {"WriteReport"}))
def test_a_failure_for_good_calls_for_a_person_and_keeps_the_lock(machine: Machine, name: str) -> None:
    machine.faults[name] = ["SomethingIsWrong"]
    recovery, states = recover(machine, LATE if name in (*FINISHED, *GLOBAL) else UNDO)
    passed_on = WAY_BACK[-3:] if name == "RestoreDns" else []
    assert states[states.index(name) + 1 :] == [*passed_on, *UNRECOVERED]
    assert recovery.describe()["error"] == "RecoveryFailed"
    assert ("ReleaseLock" in states) == (name == "ReleaseLock")
    mail = recovery.mails()[-1]
    assert mail.subject == "Recovery of shop failed: act now"
    assert DEAD in mail.body
    assert "SomethingIsWrong" in mail.body
