"""Every path through the release: to its end, and out of it from each state that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.environment import Answer, Function
from tests.statemachine.conftest import DEFINITION, PLAN, RESULTS, Machine
from tests.waiting import eventually

STATES: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))["States"]


def walk(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in states.items():
        yield name, state
        for branch in (*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])):
            yield from walk(branch["States"])


TASKS = {name: state for name, state in walk(STATES) if state["Type"] == "Task"}
FUNCTIONS = [name for name, state in TASKS.items() if "FunctionArn" in state["Resource"]]

HAPPY = [
    "PlanRelease",
    "TellPlanned",
    "CheckBlue",
    "DecideOnScripts",
    "CheckChanges",
    "DecideOnMode",
    "CreateReplicationUser",
    "CreatePublications",
    "CreateSlots",
    "CloneBlue",
    "WaitForGreen",
    "AdoptClone",
    "DecideOnUpgrade",
    "UpgradeGreen",
    "WaitForUpgrade",
    "UpdateExtensions",
    "CreateSubscriptions",
    "MonitorLag",
    "CheckDrift",
    "DecideOnChanges",
    "ApplyChanges",
    "WaitForCatchUp",
    "TellInStep",
    "DecideOnGlobalize",
    "BeginVerification",
    "CompareTables",
    "SumUpVerification",
    "DecideOnVerification",
    "WarmGreen",
    "LowerTtl",
    "GatherEvidence",
    "DecideOnRehearsal",
    "TellApprovalRequested",
    "RequestApproval",
    "DecideOnAnswer",
    "TellApproved",
    "WaitForOldTtl",
    "DecideOnHookBeforeFreeze",
    "RecheckReadiness",
    "WarmFunctions",
    "DecideOnStop",
    "FreezeBlue",
    "Switchover",
    "OpenGreen",
    "DecideOnStart",
    "TellOpened",
    "DecideOnHookAfterOpening",
    "WaitForDns",
    "RestoreTtl",
    "DropSubscriptions",
    "DecideOnLateGlobalize",
    "UntagGreen",
    "CompleteRelease",
    "WriteReport",
    "ReleaseLock",
    "DecideOnEnd",
    "NotifyCompletion",
    "TellCompleted",
    "ReleaseCompleted",
]
WITH_HOOK = {"NoteStop", "StopApplication", "StartApplication"}
"""What the freeze method hook adds to it."""
AROUND = ["NoteHook", "CallHookBeforeFreeze", "CallHookAfterOpening", "NotifyHookFailure"]
"""What a hook around the switchover adds to it (``test_hooks``)."""
GLOBAL = ["CreateGlobalCluster", "CreateSecondaries", "WaitForGlobalLag", "DecideOnGlobalized"]
"""What a blue with secondaries in other Regions adds to it, before or after the cutover (``test_global``)."""
IN_EACH_REGION = {"CreateSecondary", "WaitForSecondary"}
SIDE_BY_SIDE = {"FlipDns", "SyncSequences", "WaitForDrain", "VerifyCutover", "CompareChunks"}
AGAIN = ["TellCalledOff", "StartNextAttempt", "CheckDrift"]
ABORT = ["AbortSwitchover", "DecideOnAbort", "RestoreDns", "DecideOnRestart"]
ABORT += ["DecideOnHookCalledOff", "DecideOnNextAttempt"]
TOLD = ["WriteReport", "ReleaseLock", "DecideOnEnd"]
CLEAN_UP = ["CleanUpReplication", "DeleteGreen", *TOLD, "NotifyFailure", "TellFailed", "ReleaseFailed"]
UNFINISHED = ["NotifyUnfinished", "TellUnfinished", "ReleaseUnfinished"]
"""At once, since the recovery begins with the execution's end; it writes the report."""
NOT_YET = ("GreenNotReady", "ReplicationLagging", "DnsNotInSync")
BEFORE_THE_FREEZE = ["RecheckReadiness", "WarmFunctions"]
IN_THE_FREEZE = ["FreezeBlue", "FlipDns", "SyncSequences", "WaitForDrain", "VerifyCutover", "OpenGreen"]
AFTER_THE_OPENING = ["WaitForDns", "RestoreTtl", "DropSubscriptions", "UntagGreen", "CompleteRelease", "ReleaseLock"]


def way_out(failing: str) -> list[str]:
    """The states that must follow when a function fails for good."""
    if failing == "PlanRelease":
        return ["PlanFailed", *CLEAN_UP[2:]]
    if failing in ("CheckBlue", "CheckChanges"):
        return CLEAN_UP[2:]
    if failing in BEFORE_THE_FREEZE + IN_THE_FREEZE:
        return [*ABORT, *CLEAN_UP]
    if failing in AFTER_THE_OPENING:
        return UNFINISHED
    before_drift = HAPPY[: HAPPY.index("CheckDrift")]  # what comes after it is gone through again, with TTLs lowered
    return CLEAN_UP if failing in before_drift else [*ABORT[2:], *CLEAN_UP]


def test_read_downwards_the_definition_is_the_procedure() -> None:
    assert [name for name in STATES if name not in (*WITH_HOOK, *GLOBAL, *AROUND)][: len(HAPPY)] == HAPPY


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_bound_a_retry_and_a_way_out(name: str) -> None:
    task = TASKS[name]
    assert "TimeoutSeconds" in task or "TimeoutSecondsPath" in task
    assert task["Retry"]
    if name not in SIDE_BY_SIDE | IN_EACH_REGION:  # the Parallel or Map around these catches
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_tried_again_when_it_dies_or_cannot_reach_something(name: str) -> None:
    retried = {error for retry in TASKS[name]["Retry"] for error in retry["ErrorEquals"]}
    assert {"Lambda.Unknown", "Runtime.ExitError"} <= retried
    assert ("Sandbox.Timedout" in retried) == (name != "FlipDns"), "its clients try again by themselves, up to that"
    # In the freeze a step that takes longer than the budget is not tried again.
    assert ("States.Timeout" in retried) == (name not in IN_THE_FREEZE)
    assert ("TimeoutSecondsPath" in TASKS[name]) == (name in IN_THE_FREEZE)
    assert {"DatabaseUnavailable", "AwsUnavailable", "Lambda.TooManyRequestsException"} <= retried


def test_an_approved_release_goes_through_all_states(machine: Machine) -> None:
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert [state for state in states if state not in SIDE_BY_SIDE] == HAPPY
    assert set(states) >= SIDE_BY_SIDE
    assert json.loads(release.describe()["output"]) == RESULTS["CompleteRelease"]
    assert machine.events["PlanRelease"]["input"] == {}
    assert machine.events["PlanRelease"]["execution_arn"] == release.execution_arn


@pytest.mark.parametrize("checked", [{"modifies_green": False}, {"inventory": {}}])
def test_a_green_that_is_to_be_as_blue_is_passes_the_upgrade_over(machine: Machine, checked: dict[str, Any]) -> None:
    machine.results["CheckBlue"] = checked
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states[states.index("DecideOnUpgrade") + 1] == "CreateSubscriptions"
    assert machine.calls["UpgradeGreen"] == machine.calls["WaitForUpgrade"] == 0


def test_the_comparison_goes_on_until_no_chunk_is_left(machine: Machine) -> None:
    rounds = [{"chunks_left": left, "rows": {"app": 1000 - left}} for left in (7, 2, 0)]

    def sum_up(function: Function, event: bytes, original: Any = machine.emulator.functions.invoke) -> Answer:
        if function.name == "SumUpVerification":
            machine.results["SumUpVerification"] = rounds.pop(0)
        answer: Answer = original(function, event)
        return answer

    machine.emulator.functions.invoke = sum_up  # type: ignore[method-assign]
    release, _ = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.calls["CompareChunks"] == 3 * len(RESULTS["BeginVerification"]["workers"])
    assert machine.events["GatherEvidence"]["compared"] == {"chunks_left": 0, "rows": {"app": 1000}}
    assert machine.events["SumUpVerification"]["compared"]["chunks_left"] == 2, "each round is told of the last one"
    assert machine.events["CompareChunks"].keys() == {"plan", "green", "worker"}


def test_a_check_looks_at_blue_reports_and_ends(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"mode": "check"}
    machine.results["CheckBlue"] = {"is_fit": False, "subject": "Check of shop: not fit", "text": 'BLOCKER "it\'s" {}'}
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states == [*HAPPY[: HAPPY.index("DecideOnMode") + 1], *TOLD, "NotifyFindings", "TellChecked", "BlueChecked"]
    assert json.loads(release.describe()["output"]) == machine.results["CheckBlue"]
    (mail,) = release.mails()
    assert mail.subject == "Check of shop: not fit"
    assert mail.body.startswith('BLOCKER "it\'s" {}\n')


def test_a_check_that_fails_ends_as_a_release_that_does(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"mode": "check"}
    machine.faults["CheckBlue"] = ["SomethingIsWrong"]
    release, states = machine.run()
    assert release.failure().startswith("SomethingIsWrong")
    assert states == ["PlanRelease", "TellPlanned", "CheckBlue", *way_out("CheckBlue")]


def test_a_release_is_not_kept_by_its_monitor(machine: Machine) -> None:
    machine.faults["MonitorLag"] = ["SomethingIsWrong"]
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert [state for state in states if state not in SIDE_BY_SIDE] == HAPPY


NEEDED = [name for name in FUNCTIONS if name in {*HAPPY, *SIDE_BY_SIDE} - {"MonitorLag", "WriteReport"}]


@pytest.mark.parametrize("name", NEEDED)
def test_a_failure_for_good_takes_the_way_out_that_its_place_demands(machine: Machine, name: str) -> None:
    machine.faults[name] = ["SomethingIsWrong"]
    release, states = machine.run()
    expected = way_out(name)
    assert states[-len(expected) :] == expected
    error = "ReleaseUnfinished" if name in AFTER_THE_OPENING else "SomethingIsWrong"
    assert release.describe()["error"] == error
    failed = f"Release {PLAN['release_id']} of shop, asked for by a test, failed.\n"
    told = "In a release of shop a step" if name in AFTER_THE_OPENING else failed
    assert any("SomethingIsWrong" in mail.body and mail.body.startswith(told) for mail in release.mails())


@pytest.mark.parametrize("release_input", ["[]", '"x"', "5", "null"])
def test_an_input_that_is_no_object_ends_like_every_other_wrong_input(machine: Machine, release_input: str) -> None:
    machine.faults["PlanRelease"] = ["InputInvalid"]
    release = machine.start(json.loads(release_input), as_it_is=True)
    described = release.wait()
    assert (described["error"], described["cause"]) == ("InputInvalid", RESULTS["ReleaseLock"]["explanation"])
    assert machine.calls["ReleaseLock"] == 1


@pytest.mark.parametrize("name", ["AbortSwitchover", "CleanUpReplication", "DropSubscriptions", "CompleteRelease"])
def test_what_must_happen_is_tried_again_whatever_postgresql_says(machine: Machine, name: str) -> None:
    machine.faults = {"OpenGreen": ["SomethingIsWrong"]} if name in ("AbortSwitchover", "CleanUpReplication") else {}
    machine.faults[name] = ["SqlError", "SqlError", "DatabaseUnavailable"]
    release, _ = machine.run()
    assert release.describe().get("error") != "ReleaseUnfinished"
    assert machine.calls[name] == 4


def test_functions_that_die_once_are_tried_again_and_nothing_else_changes(machine: Machine) -> None:
    machine.faults = {name: ["Runtime.ExitError"] for name in FUNCTIONS}
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert [state for state in states if state not in SIDE_BY_SIDE] == HAPPY
    machine.faults["OpenGreen"] = ["SomethingIsWrong"]
    release, _ = machine.run()
    assert release.failure().startswith("SomethingIsWrong")
    way_out_of_it = ("AbortSwitchover", "RestoreDns", "CleanUpReplication", "DeleteGreen")
    assert [machine.calls[name] for name in way_out_of_it] == [2] * len(way_out_of_it)


def test_in_the_freeze_every_step_may_take_what_the_step_before_left(machine: Machine) -> None:
    left_s = {"FreezeBlue": 19, "WaitForDrain": 17, "VerifyCutover": 13}
    machine.results = {name: RESULTS[name] | {"left_s": left} for name, left in left_s.items()}
    release, _ = machine.run()
    pages = machine.emulator.client("stepfunctions").get_execution_history(executionArn=release.execution_arn)
    scheduled = [event.get("lambdaFunctionScheduledEventDetails", {}) for event in pages["events"]]
    limits = {each["resource"].split(":")[-1]: each.get("timeoutInSeconds") for each in scheduled if each}
    assert [limits[name] for name in IN_THE_FREEZE] == [30, 19, 19, 19, 17, 13]


@pytest.mark.parametrize("failing", [*BEFORE_THE_FREEZE, *IN_THE_FREEZE])
def test_after_an_abort_the_approval_is_asked_for_again_and_the_next_attempt_may_succeed(
    machine: Machine, failing: str
) -> None:
    machine.faults[failing] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states[states.index("AbortSwitchover") :][: len(ABORT) + len(AGAIN)] == [*ABORT, *AGAIN]
    assert states.count("RequestApproval") == 2
    assert machine.events["GatherEvidence"]["failure"]["Error"] == "SomethingIsWrong"
    assert machine.events["OpenGreen"]["plan"]["attempt"] == 2
    assert machine.calls["CleanUpReplication"] == 0


@pytest.mark.parametrize(
    ("found_in", "error"),
    [
        ("WaitForCatchUp", "ReplicationBroken"),
        ("GatherEvidence", "ReplicationBroken"),
        ("GatherEvidence", "SchemaDrifted"),
    ],
)
def test_drift_that_comes_up_later_leads_back_to_where_it_is_repaired(
    machine: Machine, found_in: str, error: str
) -> None:
    machine.faults[found_in] = [error]
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states[states.index(found_in) + 1] == "CheckDrift"
    assert machine.calls["CheckDrift"] == machine.calls["WaitForCatchUp"] == 2
    machine.faults["CheckDrift"] = ["SchemaDrifted"]
    release, states = machine.run()
    assert release.failure().startswith("SchemaDrifted")
    assert states[-len(way_out("CheckDrift")) :] == way_out("CheckDrift")


def test_when_the_attempts_are_used_up_the_release_ends_with_the_last_reason(machine: Machine) -> None:
    machine.faults["VerifyCutover"] = ["SomethingIsWrong", "SomethingElse"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, states = machine.run()
    assert release.failure().startswith("SomethingElse")
    assert states[-len(CLEAN_UP) :] == CLEAN_UP
    assert states.count("RequestApproval") == states.count("AbortSwitchover") == 2


def test_a_second_request_that_is_rejected_ends_the_release(machine: Machine) -> None:
    machine.faults["VerifyCutover"] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release = machine.start()
    first = release.wait_for_approval_request()
    release.answer("approve")
    eventually(lambda: (asked := release.approval_request()) and asked.request != first.request)
    release.answer("reject")
    assert release.wait()["error"] == "ReleaseRejected"
    assert machine.calls["CleanUpReplication"] == 1


def test_an_opening_whose_answer_was_lost_goes_on_forward(machine: Machine) -> None:
    machine.faults["OpenGreen"] = ["Sandbox.Timedout"] * 10
    machine.results["AbortSwitchover"] = {
        "outcome": "open",
        "decided_at": "2026-11-23T04:05:06+00:00",
        "roles": 1,
    }
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    after = states[states.index("AbortSwitchover") :]
    assert after[:5] == ["AbortSwitchover", "DecideOnAbort", "ResumeOpening", "DecideOnStart", "TellOpened"]
    assert "RestoreDns" not in states
    assert "CleanUpReplication" not in states


@pytest.mark.parametrize("name", ["AbortSwitchover", "RestoreDns", "CleanUpReplication", "DeleteGreen", "ReleaseLock"])
def test_a_way_out_that_fails_calls_for_a_person_and_keeps_the_lock(machine: Machine, name: str) -> None:
    machine.faults = {"OpenGreen": ["SomethingIsWrong"], name: ["ThisAsWell"]}
    release, states = machine.run()
    assert release.describe()["error"] == "ReleaseUnfinished"
    assert states[-len(UNFINISHED) :] == UNFINISHED
    assert ("ReleaseLock" in states) == (name == "ReleaseLock")
    assert any("act now" in mail.subject for mail in release.mails())


@pytest.mark.parametrize(
    ("name", "not_yet"),
    [
        ("CloneBlue", "GreenNotReady"),
        ("WaitForGreen", "GreenNotReady"),
        ("UpgradeGreen", "GreenNotReady"),
        ("WaitForUpgrade", "GreenNotReady"),
        ("CheckDrift", "ReplicationLagging"),
        ("WaitForCatchUp", "ReplicationLagging"),
        ("WaitForDns", "DnsNotInSync"),
    ],
)
def test_what_is_not_there_yet_is_asked_for_again(machine: Machine, name: str, not_yet: str) -> None:
    machine.faults[name] = [not_yet] * 12
    release, _ = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.calls[name] == 13


def test_a_history_stays_short_even_when_everything_is_waited_for_as_long_as_it_may_be(machine: Machine) -> None:
    release, _ = machine.run()
    history = machine.emulator.client("stepfunctions").get_execution_history(
        executionArn=release.execution_arn, maxResults=1000
    )
    asked_again = sum(
        retry["MaxAttempts"]
        for name, task in TASKS.items()
        for retry in task["Retry"]
        if name in HAPPY and retry["ErrorEquals"][0] in NOT_YET
    )
    assert asked_again > 100
    assert len(history["events"]) + 3 * asked_again < 2000, "an attempt is scheduled, started, and fails"


def test_a_stopped_execution_stops(machine: Machine) -> None:
    release = machine.start()
    release.wait_for_approval_request()
    machine.emulator.client("stepfunctions").stop_execution(executionArn=release.execution_arn)
    eventually(lambda: release.describe()["status"] == "ABORTED")
