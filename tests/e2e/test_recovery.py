"""Executions that end without a Catch: whatever they leave is undone, or finished if green was open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from local.postgres.roles import create_role
from local.postgres.servers import Server
from local.release import Release, ReleaseEnded
from local.world import World, world
from tests.e2e.conftest import (
    HOOK_ARN,
    break_function,
    deploy_hook,
    orders_of,
    records_at,
    recover_soon,
    reports,
    start,
    traces,
)
from tests.waiting import eventually

DATABASES = ("app", "crm")
APPLICATION, PASSWORD = "application", "not-a-secret"


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    """A world whose releases have a hook: a recovery does not know whether it was called."""
    with world(latency_s=0.2, propagation_s=0.2, record_ttl_s=2, overrides={"hook_function_arn": HOOK_ARN}) as made:
        made.emulator.retry_scale = 0.1
        recover_soon(made)
        yield made


@pytest.fixture(scope="module", autouse=True)
def orders(running: World) -> Path:
    """What the hook was asked to do."""
    return deploy_hook(running)


@pytest.fixture(scope="module", autouse=True)
def _application(running: World) -> None:
    create_role(running.blue, APPLICATION, PASSWORD)
    for database in DATABASES:
        running.blue.execute(database, "CREATE TABLE kept (id serial PRIMARY KEY, note text)")
        running.blue.execute(database, f"GRANT pg_write_all_data TO {APPLICATION}")


def takes_writes(server: Server) -> bool:
    """Whether the application can write."""
    try:
        connection = server.connect("app", APPLICATION, PASSWORD)
    except pg8000.native.DatabaseError as error:
        if error.args[0]["C"] != "28000":  # not permitted to log in
            raise
        return False
    connection.run("INSERT INTO kept (note) VALUES ('written')")
    connection.close()
    return True


def recover(running: World, execution_arn: str) -> dict[str, Any]:
    """Starts a recovery by hand; its output."""
    client = running.emulator.client("stepfunctions")
    arn = client.start_execution(
        stateMachineArn=running.stack.outputs["RecoveryStateMachineArn"],
        input=json.dumps({"execution_arn": execution_arn}),
    )["executionArn"]
    recovery = Release(client, arn, running.mail_folder)
    described = recovery.wait()
    assert described["status"] == "SUCCEEDED", recovery.failure()
    output: dict[str, Any] = json.loads(described["output"])
    return output


def recoveries(running: World, release: Release) -> list[dict[str, Any]]:
    """The recoveries of a release that events have started."""
    client = running.emulator.client("stepfunctions")
    machine = running.stack.outputs["RecoveryStateMachineArn"]
    arns = [each["executionArn"] for each in client.list_executions(stateMachineArn=machine)["executions"]]
    described = [client.describe_execution(executionArn=arn) for arn in arns]
    return [each for each in described if release.execution_arn in each["input"] and "status" in each["input"]]


def wait_for_recoveries(running: World, release: Release, count: int = 1) -> None:
    """Waits until a release was recovered, as often as an event told of its end."""

    def ended() -> bool:
        statuses = [each["status"] for each in recoveries(running, release)]
        return len(statuses) == count and "RUNNING" not in statuses

    eventually(ended, timeout_s=120)
    assert [each["status"] for each in recoveries(running, release)] == ["SUCCEEDED"] * count


def stop(running: World, release: Release, *, recovered_by: int = 1) -> None:
    """Stops an execution by hand and waits for its recovery."""
    running.emulator.client("stepfunctions").stop_execution(
        executionArn=release.execution_arn, error="Stopped", cause="in the console"
    )
    wait_for_recoveries(running, release, recovered_by)


def entered(release: Release, state: str) -> None:
    """Waits until a release is in a state."""
    seen: set[str] = set()

    def is_there() -> bool:
        seen.update(step.name for step in release.new_steps())
        return state in seen

    eventually(is_there, timeout_s=120)


def test_a_release_that_is_stopped_while_it_waits_for_approval_leaves_nothing(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running)
    release.wait_for_approval_request()
    meanwhile = traces(running, running.blue, DATABASES)
    assert recover(running, release.execution_arn)["action"] == "nothing"
    assert traces(running, running.blue, DATABASES) == meanwhile != before, "a release that runs is left alone"
    assert release.running
    stop(running, release)
    assert traces(running, running.blue, DATABASES) == before
    assert takes_writes(running.blue)
    with pytest.raises(ReleaseEnded, match="has ended meanwhile"):
        release.answer("approve")
    undone = release.mails()[-1]
    assert undone.subject == "Release of shop undone after its execution had ended"
    assert "Stopped: in the console" in undone.body
    assert "Blue had not been frozen." in undone.body
    document, page = reports(running)[release.execution_arn]
    assert document["outcome"]["kind"] == "undone_by_recovery"
    assert {"RequestApproval", "DeleteGreen"} <= {span["state"] for span in document["timeline"]}
    assert "Stopped: in the console" in page
    assert "/report.html" in undone.body
    assert recover(running, release.execution_arn)["action"] == "nothing", "it was undone"


def test_a_release_that_is_stopped_in_the_freeze_gives_blue_back(
    running: World, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.emulator, "deliver_twice", True)
    before = traces(running, running.blue, DATABASES)
    break_function(running, "SyncSequences", "hang")
    release = start(running)
    release.wait_for_approval_request()
    release.answer("approve")
    entered(release, "VerifyCutover")
    assert not takes_writes(running.blue)
    stop(running, release, recovered_by=2)
    assert traces(running, running.blue, DATABASES) == before
    assert takes_writes(running.blue)
    assert any("Blue was frozen, and green had not been asked to open." in mail.body for mail in release.mails())
    first, *then = (order["phase"] for order in orders_of(orders, release))
    assert first == "before_freeze"
    assert set(then) == {"called_off"}, "by each recovery"


def test_a_release_that_is_stopped_before_blue_was_looked_at_frees_its_lock(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    break_function(running, "CheckBlue", "hang")
    release = start(running, {"databases": ["nowhere", "app"]})
    entered(release, "CheckBlue")
    assert traces(running, running.blue, DATABASES)["locks"]
    stop(running, release)
    assert traces(running, running.blue, DATABASES) == before


def test_a_release_that_is_stopped_while_its_report_is_written_is_told_of_all_the_same(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    break_function(running, "CheckBlue", "raise")
    break_function(running, "WriteReport", "hang")
    release = start(running)
    entered(release, "WriteReport")
    assert release.mails() == []
    stop(running, release)
    assert traces(running, running.blue, DATABASES) == before
    assert [mail.subject for mail in release.mails()] == ["Release of shop undone after its execution had ended"]
    assert release.execution_arn in reports(running)


def test_a_release_that_had_cleaned_up_needs_no_recovery_and_sends_no_mail(running: World) -> None:
    release = start(running, {"databases": "app"})
    assert release.wait()["error"] == "InputInvalid"
    wait_for_recoveries(running, release)
    assert json.loads(recoveries(running, release)[0]["output"])["action"] == "nothing"
    assert [mail.subject for mail in release.mails()] == ["Release of shop failed, nothing changed"]


def test_a_release_that_is_stopped_after_the_opening_is_finished(
    running: World, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.emulator, "deliver_twice", True)
    before = traces(running, running.blue, DATABASES)
    break_function(running, "WaitForDns", "hang")
    release = start(running)
    release.wait_for_approval_request()
    release.answer("approve")
    entered(release, "WaitForDns")
    stop(running, release, recovered_by=2)
    green = running.production()
    assert green is not running.blue
    assert (takes_writes(running.blue), takes_writes(green)) == (False, True)
    assert running.blue.execute("postgres", "SELECT slot_name FROM pg_replication_slots") == []
    after = traces(running, green, DATABASES)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"clusters", "instances", "records"}
    assert after["records"] == records_at(green, ttl_s=2)
    finished = release.mails()[-1]
    assert finished.subject == "Release of shop finished after its execution had ended"
    assert '"sessions_ended":null' in finished.body.replace(" ", ""), "nobody knows any more"
    first, *then = (order["phase"] for order in orders_of(orders, release))
    assert (first, set(then)) == ("before_freeze", {"after_opening"})
    assert len(then) > 1, "the recovery does not know that it was called, and calls it again"


def test_a_release_that_called_for_a_person_is_finished_all_the_same(running: World) -> None:
    break_function(running, "RestoreTtl", "raise")
    release = start(running)
    release.wait_for_approval_request()
    release.answer("approve")
    assert release.wait()["error"] == "ReleaseUnfinished"
    wait_for_recoveries(running, release)
    green = running.production()
    assert takes_writes(green)
    assert traces(running, green, DATABASES)["locks"] == []
    assert [mail.subject for mail in release.mails()][-2:] == [
        "Release of shop unfinished: act now",
        "Release of shop finished after its execution had ended",
    ]
