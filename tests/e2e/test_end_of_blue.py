"""The end of blue, as a release orders it, an operator starts it, and AWS undoes it after seven days."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from local import cli
from local import decommission as command
from local.postgres.roles import create_role
from local.release import Release
from local.world import World
from tests.e2e.conftest import break_function, start
from tests.waiting import eventually

BLUE = "shop-blue"


@pytest.fixture(scope="module")
def completed(running: World) -> dict[str, Any]:
    """The summary of a release whose blue is to be stopped in an hour."""
    release = start(running, {"blue_end": "stop", "retain_blue_h": 1})
    release.wait_for_approval_request()
    release.answer("approve")
    described = release.wait()
    assert described["status"] == "SUCCEEDED", release.failure()
    summary: dict[str, Any] = json.loads(described["output"])
    return summary


def decommission(running: World, **asked: Any) -> Release:
    client = running.emulator.client("stepfunctions")
    arn = running.stack.outputs["DecommissionStateMachineArn"]
    name = f"by-hand-{len(executions(running))}"
    return Release.start(client, arn, asked, running.mail_folder, name)


def executions(running: World) -> list[dict[str, Any]]:
    arn = running.stack.outputs["DecommissionStateMachineArn"]
    found = running.emulator.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    return sorted(found, key=lambda execution: execution["startDate"])


def by_command_line(running: World, *arguments: str) -> str:
    """The exit status of `python -m local decommission`, and what it said."""
    options = cli.parser().parse_args(["decommission", running.emulator.endpoint_url, *arguments])
    console = Console(record=True, width=200, quiet=False, file=io.StringIO())
    status = command.decommission(console, options)
    return f"{status} {console.export_text()}"


def inventory(running: World) -> dict[str, list[str]]:
    """Everything that a cluster may leave behind, by kind."""
    rds = running.emulator.client("rds")
    return {
        "clusters": sorted(f"{each['DBClusterIdentifier']} {each['Status']}" for each in clusters(running)),
        "instances": sorted(each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]),
        "global clusters": rds.describe_global_clusters()["GlobalClusters"],
        "snapshots": [
            each["DBClusterSnapshotIdentifier"]
            for each in rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        ],
        "servers": sorted(name for name, server in running.aurora.servers.items() if server.running),
        "secrets": [each["Name"] for each in running.emulator.client("secretsmanager").list_secrets()["SecretList"]],
        "locks": running.emulator.client("dynamodb").scan(TableName=running.stack.outputs["LockTableName"])["Items"],
    }


def clusters(running: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.emulator.client("rds").describe_db_clusters()["DBClusters"]
    return found


def test_a_blue_that_no_release_has_replaced_is_not_ended(running: World) -> None:
    before = inventory(running)
    refused = decommission(running, cluster_identifier=BLUE, end="delete")
    assert refused.wait()["error"] == "ClusterInUse"
    assert "it is production" in refused.failure()
    assert [mail.subject for mail in refused.mails()] == ["The end of blue of shop failed"]
    assert inventory(running) == before


def test_a_release_orders_the_end_of_its_blue_which_waits_for_its_time(
    running: World, completed: dict[str, Any]
) -> None:
    (ordered,) = (each for each in executions(running) if each["name"] == f"{completed['release_id']}-end-of-blue")
    assert ordered["status"] == "RUNNING"
    client = running.emulator.client("stepfunctions")
    asked = json.loads(client.describe_execution(executionArn=ordered["executionArn"])["input"])
    assert asked == {"release_id": completed["release_id"], "not_before": completed["blue_ends_at"]}
    left = datetime.fromisoformat(asked["not_before"]) - datetime.now(UTC)
    assert timedelta(minutes=30) < left < timedelta(hours=1)
    client.stop_execution(executionArn=ordered["executionArn"])


def test_what_is_production_in_use_or_replaced_by_another_release_is_not_ended(
    running: World, completed: dict[str, Any]
) -> None:
    before = inventory(running)
    green = decommission(running, cluster_identifier=completed["green"], end="delete")
    assert green.wait()["error"] == "ClusterInUse"
    unknown = decommission(running, release_id="20260101-0000-abcdef")
    assert unknown.wait()["error"] == "BlueNotFound"
    create_role(running.blue, 'o\'neill "{x}"', "not-a-secret")
    session = running.blue.connect("app", 'o\'neill "{x}"', "not-a-secret")
    try:
        used = decommission(running, release_id=completed["release_id"])
        assert used.wait()["error"] == "ClusterInUse"
    finally:
        session.close()
    assert 'o\'neill "{x}" in app' in used.failure()
    assert "o'neill" in used.mails()[0].body
    assert inventory(running) == before


def test_blue_is_stopped_after_its_snapshot_also_when_functions_die(running: World, completed: dict[str, Any]) -> None:
    before = inventory(running)
    running.aurora.fail_next(f"{BLUE}-final-*", "SnapshotQuotaExceeded")
    without = decommission(running, release_id=completed["release_id"])
    assert without.wait()["error"] == "AwsRefused"
    assert "SnapshotQuotaExceeded" in without.failure()
    assert inventory(running) == before
    break_function(running, "TakeFinalSnapshot", "kill_after")
    break_function(running, "RetireCluster", "twice")
    break_function(running, "StopCluster", "kill_before")
    ended = decommission(running, release_id=completed["release_id"])
    assert ended.wait()["status"] == "SUCCEEDED", ended.failure()
    assert not running.emulator.functions.pending()
    after = inventory(running)
    (snapshot,) = after["snapshots"]
    assert f"{BLUE} stopped" in after["clusters"]
    assert after["servers"] == [completed["green"]]
    assert {key: after[key] for key in ("instances", "global clusters", "secrets", "locks")} == {
        key: before[key] for key in ("instances", "global clusters", "secrets", "locks")
    }
    (mail,) = ended.mails()
    assert mail.subject == "The end of blue of shop"
    assert snapshot in mail.body


def test_a_cluster_that_aws_starts_after_seven_days_is_stopped_again(
    running: World, completed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.emulator, "deliver_twice", True)
    before, known = inventory(running), len(executions(running))
    running.aurora.start_after_seven_days(BLUE)
    eventually(lambda: len(executions(running)) == known + 2)
    eventually(lambda: inventory(running) == before)
    first, second = (
        Release(running.emulator.client("stepfunctions"), each["executionArn"], running.mail_folder)
        for each in executions(running)[known:]
    )
    eventually(lambda: not first.running or not second.running)
    assert first.mails() == second.mails() == []


def test_a_stopped_blue_is_deleted_and_its_snapshot_stays(running: World, completed: dict[str, Any]) -> None:
    before = inventory(running)
    said = by_command_line(running, BLUE, "--end", "delete")
    assert said.startswith("0 ")
    assert "DeleteCluster" in said
    assert f"{BLUE} is deleted; its final snapshot is {before['snapshots'][0]}." in said
    after = inventory(running)
    assert after["clusters"] == [f"{completed['green']} available"]
    assert after["instances"] == [f"{completed['green']}-1"]
    assert after["snapshots"] == before["snapshots"]
    assert BLUE not in running.aurora.servers
    assert by_command_line(running, completed["release_id"], "--end", "delete").startswith("0 ")
    assert by_command_line(running, completed["green"], "--end", "delete").startswith("1 ")
    assert inventory(running) == after
