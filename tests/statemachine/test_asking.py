"""People are asked: what they are told, and what follows from each answer, and from none."""

from __future__ import annotations

import pytest

from tests.statemachine.conftest import PLAN, RESULTS, Machine
from tests.statemachine.test_paths import TASKS, way_out


def test_the_request_tells_what_was_found_and_how_to_answer(machine: Machine) -> None:
    release = machine.start()
    request = release.wait_for_approval_request()
    assert request.subject == RESULTS["GatherEvidence"]["subject"]
    assert RESULTS["GatherEvidence"]["text"] in request.body
    asked = machine.events["RequestApproval"]
    assert asked["question"] == "approval"
    assert asked["retry"] == 0
    assert asked["plan"]["execution_arn"] == release.execution_arn
    assert asked["task_token"] not in request.body, "it goes no further than the function and the table"
    assert "FreezeBlue" not in machine.calls
    release.answer("approve")
    assert release.wait()["status"] == "SUCCEEDED"


def test_a_rejected_release_is_cleaned_up_without_a_freeze(machine: Machine) -> None:
    release, states = machine.run("reject")
    assert release.failure().startswith("ReleaseRejected")
    assert states[states.index("DecideOnAnswer") + 1 :] == ["ReleaseRejected", *way_out("RequestApproval")]
    assert "FreezeBlue" not in states


def test_an_answer_that_is_neither_is_no_approval(machine: Machine) -> None:
    release = machine.start()
    request = release.wait_for_approval_request()
    machine.emulator.client("stepfunctions").send_task_success(
        taskToken=machine.tokens[str(request.request)], output="{}"
    )
    assert release.wait()["error"] == "ReleaseRejected"
    assert "FreezeBlue" not in machine.calls


def test_an_answer_by_task_failure_ends_the_release_with_its_error(machine: Machine) -> None:
    release = machine.start()
    request = release.wait_for_approval_request()
    machine.emulator.client("stepfunctions").send_task_failure(
        taskToken=machine.tokens[str(request.request)], error="NotTonight", cause="the stock exchange is open"
    )
    described = release.wait()
    assert described["error"] == "NotTonight"
    assert machine.events["ReleaseLock"]["state"]["failure"]["Cause"] == "the stock exchange is open"
    assert machine.calls["CleanUpReplication"] == 1


def test_an_unanswered_request_ends_the_release_and_cleans_up(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"approval_timeout_s": 1}
    release = machine.start()
    assert release.wait()["error"] == "ApprovalTimedOut"
    assert [machine.calls[name] for name in ("RestoreDns", "CleanUpReplication", "DeleteGreen", "FreezeBlue")] == [
        1,
        1,
        1,
        0,
    ]


@pytest.mark.parametrize("name", ["RequestApproval", "AskForCorrection"])
def test_a_state_that_waits_for_people_is_tried_again_when_its_function_dies_and_not_when_nobody_answers(
    name: str,
) -> None:
    retried = {error for retry in TASKS[name]["Retry"] for error in retry["ErrorEquals"]}
    assert {"AwsUnavailable", "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"} <= retried
    assert "States.Timeout" not in retried


def test_a_request_that_is_tried_again_has_a_new_token_and_says_that_it_is_a_later_try(machine: Machine) -> None:
    machine.faults["RequestApproval"] = ["Runtime.ExitError", "AwsUnavailable"]
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.calls["RequestApproval"] == 3
    assert machine.events["RequestApproval"]["retry"] == 2
    assert len(release.mails()) == 1
    assert states.count("RequestApproval") == 1


def test_a_request_that_cannot_be_made_gives_the_release_up(machine: Machine) -> None:
    machine.faults["RequestApproval"] = ["AwsRefused"]
    release, states = machine.run()
    assert release.failure().startswith("AwsRefused")
    assert states[-len(way_out("RequestApproval")) :] == way_out("RequestApproval")
