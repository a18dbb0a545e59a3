"""Every path through the end of a cluster: waited for, stopped, deleted, nothing to do, and failing at each state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.emulator import Emulator
from local.release import Release
from tests.statemachine.conftest import Machine

DECOMMISSION = Path("statemachine/decommission.asl.json")
STATES: dict[str, Any] = json.loads(DECOMMISSION.read_text(encoding="utf-8"))["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTIONS = [name for name, state in TASKS.items() if "FunctionArn" in state["Resource"]]

PLAN = {
    "release_id": "20261123-0405-abcdef",
    "cluster": {"identifier": "shop-blue"},
    "end": "delete",
    "snapshot_identifier": "shop-blue-final-12345678",
}
PLANNED = ["DecideOnRetention", "PlanDecommission", "DecideOnPlan"]
SNAPSHOT = ["TakeFinalSnapshot", "WaitForSnapshot"]
OUT = ["RetireCluster", "RemoveSecondaries", "RemoveFromGlobalCluster", "DeleteGlobalCluster", "DecideOnEnd"]
TOLD = ["NotifyEnd", "TellEnded", "ClusterEnded"]
DELETED = [*PLANNED, *SNAPSHOT, *OUT, "DeleteCluster", *TOLD]
ASKED = {"release_id": PLAN["release_id"]}
FAILED = ["DecideOnCause", "ReadCause", "ExplainCause", "NotifyUnended", "TellUnended", "DecommissionFailed"]


@pytest.fixture(scope="module")
def _machine(_emulator: Emulator) -> Machine:
    return Machine(_emulator, DECOMMISSION)


def end(machine: Machine, asked: Any = None, **plan: Any) -> tuple[Release, list[str]]:
    """A decommission to its end, and the states it went through."""
    asked = ASKED if asked is None else asked
    machine.results = {
        "PlanDecommission": {"todo": "end", "plan": PLAN | plan, "input": asked},
        "StopCluster": {"text": "shop-blue is stopped: {it's}."},
        "DeleteCluster": {"text": 'shop-blue is "deleted": {}.'},
    } | machine.results
    execution = machine.start(asked, as_it_is=True)
    execution.wait()
    return execution, [step.name for step in execution.new_steps() if step.duration_s is None]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_bound_a_retry_and_a_way_out(name: str) -> None:
    assert "TimeoutSeconds" in TASKS[name]
    assert TASKS[name]["Retry"]
    assert TASKS[name]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_tried_again_when_it_dies_or_cannot_reach_something(name: str) -> None:
    retried = {error for retry in TASKS[name]["Retry"] for error in retry["ErrorEquals"]}
    assert {"Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "States.Timeout", "ClusterBusy"} <= retried
    assert {"DatabaseUnavailable", "AwsUnavailable", "Lambda.TooManyRequestsException"} <= retried


def test_the_end_of_a_deployment_is_waited_for_for_hours() -> None:
    (retry,) = (each for each in TASKS["PlanDecommission"]["Retry"] if "ExecutionNotOver" in each["ErrorEquals"])
    waits_s = (
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt, retry["MaxDelaySeconds"])
        for attempt in range(retry["MaxAttempts"])
    )
    assert sum(waits_s) > 4 * 60 * 60


def test_a_history_stays_short_when_everything_is_waited_for_as_long_as_it_may_be() -> None:
    attempts = sum(retry["MaxAttempts"] for name in FUNCTIONS for retry in TASKS[name]["Retry"])
    assert 3 * attempts + 5 * len(STATES) < 25_000, "an attempt is scheduled, started, and fails"


def test_a_cluster_is_deleted_after_its_snapshot_and_the_leads_are_told(machine: Machine) -> None:
    execution, states = end(machine)
    assert states == DELETED
    assert json.loads(execution.describe()["output"]) == PLAN
    assert machine.events["PlanDecommission"] == {"input": ASKED, "execution_arn": execution.execution_arn}
    assert machine.events["DeleteCluster"]["plan"] == PLAN
    (mail,) = execution.mails()
    assert mail.subject == "The end of blue of shop"
    assert 'shop-blue is "deleted": {}.' in mail.body


def test_a_cluster_is_stopped(machine: Machine) -> None:
    _, states = end(machine, end="stop")
    assert states == [*DELETED[: -len(TOLD) - 1], "StopCluster", "DecideOnMail", *TOLD]


def test_a_cluster_that_is_stopped_again_is_no_news(machine: Machine) -> None:
    asked = {"cluster_identifier": "shop-blue", "end": "stop", "restarted_at": "2026-11-23T04:05:06Z"}
    execution, states = end(machine, asked, end="stop")
    assert states[-3:] == ["StopCluster", "DecideOnMail", "ClusterEnded"]
    assert execution.mails() == []


def test_a_clone_that_was_abandoned_gets_no_snapshot(machine: Machine) -> None:
    _, states = end(machine, snapshot_identifier="no-snapshot")
    assert states == [state for state in DELETED if state not in SNAPSHOT]


def test_when_there_is_nothing_to_do_nothing_is_called_and_nobody_told(machine: Machine) -> None:
    machine.results = {"PlanDecommission": {"todo": "nothing", "plan": None, "input": {}}}
    execution, states = end(machine)
    assert states == [*PLANNED, "NothingToEnd"]
    assert execution.mails() == []


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (ASKED | {"not_before": "2026-01-01T00:00:00Z"}, True),
        (ASKED | {"not_before": "tomorrow"}, False),
        ("not even an object", False),
        ([], False),
    ],
)
def test_the_time_is_waited_for_and_what_is_no_time_is_for_the_schema_to_refuse(
    machine: Machine, asked: Any, waits: bool
) -> None:
    execution, states = end(machine, asked)
    assert execution.describe()["status"] == "SUCCEEDED"
    assert ("WaitForRetention" in states) == waits
    assert machine.events["PlanDecommission"]["input"] == asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_that_fails_ends_it_there_and_started_again_it_goes_through(machine: Machine, name: str) -> None:
    plan = {"end": "stop" if name == "StopCluster" else "delete"}
    machine.faults = {name: ["ClusterBusy", "Runtime.ExitError", "SomethingIsWrong"]}
    execution, states = end(machine, **plan)
    assert machine.calls[name] == 3, "it was tried again before"
    assert execution.failure().startswith("SomethingIsWrong")
    not_planned = ["DecommissionNotPlanned"] if name == "PlanDecommission" else []
    assert states[states.index(name) + 1 :] == [*not_planned, *FAILED]
    (mail,) = execution.mails()
    assert mail.subject == "The end of blue of shop failed"
    assert "SomethingIsWrong" in mail.body
    assert "errorMessage" not in mail.body, "no JSON, no stack trace"
    again, _ = end(machine, **plan)
    assert again.describe()["status"] == "SUCCEEDED"


def test_a_mail_that_cannot_be_sent_changes_nothing() -> None:
    for name in ("NotifyEnd", "NotifyUnended"):
        (caught,) = TASKS[name]["Catch"]
        assert caught["Next"] == TASKS[name]["Next"]
