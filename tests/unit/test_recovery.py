"""The look at a dead execution, as far as it needs no database: Step Functions, the lock, green's cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from bluegreen import records, recovery
from bluegreen.errors import ExecutionNotOver, GreenFailed, InputInvalid
from bluegreen.model import Plan, green_if_any
from bluegreen.postgres import Credentials, Databases

STOPPED_AT = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
FUNCTIONS_END_AFTER_S = 360
PLANNING_ENDS_AFTER_S = 90


class Scene:
    """What there is to be seen; blue and green say what they are told to."""

    def __init__(self, rds: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rds, self.plan, self.dynamodb = rds, plan, boto3.client("dynamodb")
        self.execution: dict[str, Any] = {"status": "ABORTED", "stopDate": STOPPED_AT}
        self.freeze, self.attempt, self.verdict = "none", 1, "none"
        self.dynamodb.create_table(
            TableName="locks",
            KeySchema=[{"AttributeName": "cluster", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "cluster", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        records.acquire_lock(self.dynamodb, "locks", plan)
        monkeypatch.setattr(recovery, "blue_says", lambda *_: (self.freeze, self.attempt))
        monkeypatch.setattr(recovery, "green_says", lambda *_: self.verdict)

    def make_green(self) -> None:
        self.rds.create_db_cluster(
            DBClusterIdentifier=self.plan.green_identifier,
            Engine="aurora-postgresql",
            MasterUsername="postgres",
            MasterUserPassword="not-a-secret",
        )

    def inspect(self, after_s: float = 1, **asked: Any) -> dict[str, Any]:
        found = recovery.inspect(
            SimpleNamespace(describe_execution=lambda executionArn: self.execution),  # noqa: N803 — boto3's name
            self.dynamodb,
            lambda _plan: lambda _region="": self.rds,
            Databases(lambda _: [Credentials("nobody", "")]),
            "locks",
            "shop",
            {"execution_arn": self.plan.execution_arn} | asked,
            FUNCTIONS_END_AFTER_S,
            PLANNING_ENDS_AFTER_S,
            STOPPED_AT + timedelta(seconds=after_s),
        )
        return dict(json.loads(json.dumps(found)))


@pytest.fixture
def scene(rds: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(rds, plan, monkeypatch)


def test_the_plan_comes_from_the_lock_and_green_from_rds(scene: Scene) -> None:
    found = scene.inspect(status="ABORTED")
    assert found["decision"] == {"action": "undo", "reason": "Blue had not been frozen."}
    assert Plan.of(found) == scene.plan
    assert green_if_any(found) is None
    scene.make_green()
    green = green_if_any(scene.inspect())
    assert green
    assert green.identifier == scene.plan.green_identifier
    assert green.host.startswith(scene.plan.green_identifier)


def test_the_attempt_is_the_one_that_blue_knows_of(scene: Scene) -> None:
    scene.freeze, scene.attempt = "frozen", 2
    assert Plan.of(scene.inspect()).attempt == 2


def test_the_end_of_the_last_function_is_told(scene: Scene) -> None:
    early, late = scene.inspect(after_s=FUNCTIONS_END_AFTER_S - 1), scene.inspect(after_s=FUNCTIONS_END_AFTER_S)
    assert early["functions_ended_at"] == late["functions_ended_at"] == "2026-11-23T04:36:00Z"
    assert (early["functions_have_ended"], late["functions_have_ended"]) == (False, True)


@pytest.mark.parametrize(
    ("ended", "failure"),
    [
        ({"status": "ABORTED"}, {"Error": "ABORTED", "Cause": ""}),
        ({"status": "ABORTED", "error": "Stopped", "cause": "by me"}, {"Error": "Stopped", "Cause": "by me"}),
        ({"status": "ABORTED", "error": "a\nDone:  all"}, {"Error": "a\\nDone: all", "Cause": ""}),
        ({"status": "TIMED_OUT"}, {"Error": "TIMED_OUT", "Cause": ""}),
        ({"status": "FAILED", "error": "States.Runtime"}, {"Error": "States.Runtime", "Cause": ""}),
    ],
)
def test_how_it_ended_is_told_as_a_catch_tells_it(scene: Scene, ended: dict[str, str], failure: dict[str, str]) -> None:
    scene.execution |= ended
    assert scene.inspect()["failure"] == failure


def test_an_execution_that_runs_is_left_alone(scene: Scene) -> None:
    scene.execution = {"status": "RUNNING"}
    assert scene.inspect()["decision"]["action"] == "nothing"


def test_an_execution_whose_end_was_told_but_is_not_seen_yet_is_looked_at_again(scene: Scene) -> None:
    scene.execution = {"status": "RUNNING"}
    with pytest.raises(ExecutionNotOver, match="ABORTED by its event"):
        scene.inspect(status="ABORTED")


@pytest.mark.parametrize("holder", ["nobody", "another execution"])
def test_without_the_lock_there_is_nothing_to_do_once_it_cannot_be_taken_any_more(scene: Scene, holder: str) -> None:
    records.release_lock(scene.dynamodb, "locks", "shop", scene.plan.execution_arn)
    if holder != "nobody":
        other = Plan.of({"plan": scene.plan.to_state() | {"execution_arn": f"{scene.plan.execution_arn}-2"}})
        records.acquire_lock(scene.dynamodb, "locks", other)
    with pytest.raises(ExecutionNotOver, match="PlanRelease may still run"):
        scene.inspect(after_s=PLANNING_ENDS_AFTER_S - 1)
    assert scene.inspect(after_s=PLANNING_ENDS_AFTER_S)["decision"]["action"] == "nothing"


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_a_plan_that_is_late_still_finds_its_recovery_waiting(scene: Scene, status: str) -> None:
    """However the execution ended: PlanRelease may have been given up by its state, and taken the lock afterwards."""
    scene.execution["status"] = status
    records.release_lock(scene.dynamodb, "locks", "shop", scene.plan.execution_arn)
    with pytest.raises(ExecutionNotOver):
        scene.inspect(after_s=PLANNING_ENDS_AFTER_S - 1)
    records.acquire_lock(scene.dynamodb, "locks", scene.plan)
    assert scene.inspect(after_s=PLANNING_ENDS_AFTER_S - 1)["decision"]["action"] == "undo"
    assert scene.inspect(after_s=FUNCTIONS_END_AFTER_S)["decision"]["action"] == "undo"


def test_green_is_asked_only_when_blue_says_that_it_was_asked_to_open(scene: Scene) -> None:
    scene.make_green()
    scene.verdict = "open"
    scene.freeze = "frozen"
    assert scene.inspect()["decision"]["action"] == "undo"
    scene.freeze = "may be open"
    assert scene.inspect()["decision"]["action"] == "finish"


def test_an_opened_green_that_is_gone_is_for_a_person_to_decide(scene: Scene) -> None:
    scene.freeze = "open"
    with pytest.raises(GreenFailed, match="was opened, and is gone"):
        scene.inspect()


@pytest.mark.parametrize("asked", [{"execution_arn": None}, {"execution_arn": 5}])
def test_an_input_without_an_execution_is_refused(scene: Scene, asked: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid, match="execution_arn"):
        scene.inspect(**asked)
