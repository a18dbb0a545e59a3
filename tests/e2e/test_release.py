"""Releases of the sample database under write load, as an operator and a pipeline start and answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import watching
from local.clients.reconcile import reconcile
from local.clients.sample import Sample, create_sample
from local.clients.workload import Workload
from local.postgres.binaries import full_version
from local.postgres.servers import reader_address
from local.release import Release
from local.reporting import write_report
from local.world import World
from tests.e2e.conftest import (
    MACHINE,
    break_function,
    everything_written,
    next_request,
    records_at,
    reports,
    start,
    traces,
)
from tests.pages import read
from tests.waiting import eventually

DATABASES = ("app", "crm")
RELEASES: list[Release] = []
SECRETS: set[str] = set()


@pytest.fixture(scope="module")
def sample(running: World) -> Sample:
    made = create_sample(running.blue)
    SECRETS.update(made.roles.values(), made.locked_roles.values(), {running.aurora.master_password})
    return made


@pytest.fixture
def workload(running: World, sample: Sample) -> Iterator[Workload]:
    made = Workload(sample, running.record, running.resolver, running.aurora.port)
    made.start()
    yield made
    made.stop()


def remember_secrets(running: World) -> None:
    client = running.emulator.client("secretsmanager")
    for secret in client.list_secrets()["SecretList"]:
        fields = json.loads(client.get_secret_value(SecretId=secret["ARN"])["SecretString"])
        SECRETS.add(fields.get("password") or fields["key"])


def test_wrong_input_fails_in_the_first_state_and_touches_nothing(running: World, sample: Sample) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running, {"databases": "app"})
    assert release.wait()["error"] == "InputInvalid"
    assert "input.databases must be array" in release.failure()
    assert traces(running, running.blue, DATABASES) == before


def test_a_rejected_release_leaves_nothing_behind(running: World, sample: Sample, workload: Workload) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running, {"reason": "a try", "requested_by": "O'Neill"})
    request = release.wait_for_approval_request()
    remember_secrets(running)
    RELEASES.append(release)
    assert "O'Neill" in request.body
    assert "MB of log for it, green" in request.body
    green = next(name for name in running.aurora.servers if name != "shop-blue")
    assert running.server(green).running
    release.answer("reject")
    assert release.wait()["error"] == "ReleaseRejected"
    assert traces(running, running.blue, DATABASES) == before
    assert green not in running.aurora.servers
    eventually(lambda: workload.last_write_age_s < 0.5)


def test_an_unanswered_release_leaves_nothing_behind(running: World, sample: Sample) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running, {"approval_timeout_s": 1})
    assert release.wait()["error"] == "ApprovalTimedOut"
    assert traces(running, running.blue, DATABASES) == before


def test_a_failure_in_the_freeze_gives_blue_and_record_back(running: World, sample: Sample, workload: Workload) -> None:
    before = traces(running, running.blue, DATABASES)
    break_function(running, "OpenGreen", "raise")
    release = start(running)
    release.wait_for_approval_request()
    release.answer("approve")
    again = next_request(release)
    assert "Attempt 1 of 3 was called off" in again.body
    assert "InjectedError" in again.body
    passed = {step.name for step in release.new_steps()}
    assert {"FreezeBlue", "FlipDns", "AbortSwitchover", "RestoreDns"} <= passed
    acknowledged = workload.acknowledged
    eventually(lambda: workload.acknowledged > acknowledged + 100)
    release.answer("reject")
    assert release.wait()["error"] == "ReleaseRejected"
    RELEASES.append(release)
    assert traces(running, running.blue, DATABASES) == before
    assert before["records"] == records_at(running.blue, ttl_s=2)
    assert {t.address for t in workload.journal.transactions} == {running.blue.address}


def test_an_event_that_is_delivered_twice_makes_one_release_that_upgrades_and_nothing_is_lost(
    running: World, sample: Sample, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.emulator, "deliver_twice", True)
    monkeypatch.setattr(running.emulator, "minute_s", 1.0)
    stepfunctions = running.emulator.client("stepfunctions")
    arn = running.stack.outputs["StateMachineArn"]

    def executions() -> list[dict[str, Any]]:
        return list(stepfunctions.list_executions(stateMachineArn=arn)["executions"])

    earlier = {execution["executionArn"] for execution in executions()}
    rds = running.emulator.client("rds")
    rds.modify_db_parameter_group(
        DBParameterGroupName="shop-blue-instance",
        Parameters=[{"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}],
    )
    rds.modify_db_cluster(DBClusterIdentifier="shop-blue", EnableHttpEndpoint=False)
    running.emulator.functions.during(f"{MACHINE}-WaitForUpgrade", before=lambda: change(rds, "shop-blue"))
    index = running.put_script("index.sql", "CREATE INDEX CONCURRENTLY transfers_now ON transfers (id)")
    detail = {
        "cluster": "shop",
        "requested_by": "pipeline",
        "changes": [{"database": "app", "script": index}],
        "engine_version": full_version(18),
        "parameters": {"work_mem": "5MB"},
    }
    running.emulator.client("events").put_events(
        Entries=[
            {
                "Source": "release.pipeline",
                "DetailType": "Release Requested",
                "Detail": json.dumps(detail),
            }
        ]
    )

    def started() -> list[Release]:
        new = [execution["executionArn"] for execution in executions() if execution["executionArn"] not in earlier]
        return [Release(stepfunctions, found, running.mail_folder) for found in new]

    eventually(lambda: len(started()) == 2)
    eventually(lambda: sum(release.running for release in started()) == 1)
    (winner,) = (release for release in started() if release.running)
    (loser,) = (release for release in started() if release.execution_arn != winner.execution_arn)
    assert loser.describe()["error"] == "ReleaseInProgress"
    assert winner.execution_arn in loser.failure()

    request = winner.wait_for_approval_request()
    assert f"Engine:       {full_version(18)}, upgraded from {full_version(16)}" in request.body
    assert "  new: work_mem = 5MB" in request.body
    remember_secrets(running)
    before = workload.acknowledged
    eventually(lambda: workload.acknowledged > before + 200)
    eventually(lambda: len(measured_lags(running, winner)) > 1)
    break_function(running, "VerifyCutover", "raise")
    winner.answer("approve")
    next_request(winner)
    winner.answer("approve")
    described = winner.wait()
    assert described["status"] == "SUCCEEDED", winner.failure()
    RELEASES.append(winner)
    shown = [watching.line(step) for step in winner.new_steps() if step.duration_s is not None]
    assert set(watching.FIGURES) <= {line.split()[0] for line in shown}, (
        "the demo has something to say of each of these"
    )
    summary = json.loads(described["output"])
    before = workload.acknowledged
    eventually(lambda: workload.acknowledged > before + 200)
    workload.stop()
    result = reconcile(sample, workload.journal, running.blue, running.server(summary["green"]))
    assert result.findings == []
    assert result.blue_refuses_writes
    green = running.server(summary["green"])
    assert green.execute("app", "SHOW server_version") == [[full_version(18)]]
    assert green.execute("app", "SHOW work_mem") == [["5MB"]]
    assert green.execute("app", "SHOW rds.logical_replication") == [["on"]], "blue's values are carried over"
    (described_green,) = rds.describe_db_clusters(DBClusterIdentifier=summary["green"])["DBClusters"]
    assert described_green["PreferredBackupWindow"] == "04:10-04:40", "it was changed at blue during the upgrade"
    assert described_green["HttpEndpointEnabled"]
    assert {each["FeatureName"] for each in described_green["AssociatedRoles"]} == {"s3Import", "s3Export"}
    assert result.client_write_gap_ms is not None
    assert result.client_write_gap_ms > 0, "both sides took writes at once"
    assert summary["sessions_ended"] >= 1, "a transaction was open when blue was frozen"
    assert summary["attempts"] == 2
    after = traces(running, running.server(summary["green"]), DATABASES)
    assert after["locks"] == after["slots"] == []
    assert after["publications"] == {"app": [], "crm": []}
    assert not any("bluegreen" in row[0] for rows in after["schemas"].values() for row in rows)
    assert not any(row[0].startswith("bluegreen_replication") for row in after["roles"])
    assert after["secrets"] == ["bluegreen/shop/approval-key", "bluegreen/shop/release-role"]
    assert after["records"] == records_at(running.server(summary["green"]), ttl_s=2)
    events = running.emulator.client("events")
    eventually(lambda: events.describe_rule(Name="bluegreen-shop-monitor")["State"] == "DISABLED")


def change(rds: Any, cluster: str) -> None:
    """What an administrator does to production while green is upgraded."""
    rds.modify_db_cluster(DBClusterIdentifier=cluster, PreferredBackupWindow="04:10-04:40")
    rds.add_role_to_db_cluster(
        DBClusterIdentifier=cluster, RoleArn="arn:aws:iam::123456789012:role/s3-export", FeatureName="s3Export"
    )
    (described,) = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    rds.enable_http_endpoint(ResourceArn=described["DBClusterArn"])


def measured_lags(running: World, release: Release) -> list[float]:
    """Seconds that rows took from blue to green, as the monitor has measured it so far."""
    seen = Release(running.emulator.client("stepfunctions"), release.execution_arn, running.mail_folder).new_steps()
    release_id = next(step.result["plan"]["release_id"] for step in seen if step.duration_s is not None)
    items = running.emulator.client("dynamodb").query(
        TableName=running.stack.outputs["SampleTableName"],
        KeyConditionExpression="release_id = :release_id",
        ExpressionAttributeValues={":release_id": {"S": release_id}},
    )["Items"]
    samples = [json.loads(item["sample"]["S"])["databases"] for item in items]
    return [sample["app"]["lag_s"] for sample in samples if sample["app"]["lag_s"] is not None]


def test_a_request_for_a_cluster_that_nobody_releases_starts_nothing_and_is_kept(running: World) -> None:
    stepfunctions, sqs = running.emulator.client("stepfunctions"), running.emulator.client("sqs")
    machine = running.stack.outputs["StateMachineArn"]
    before = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
    for detail in ({"cluster": "shoe"}, {"requested_by": "pipeline"}):
        entry = {"Source": "release.pipeline", "DetailType": "Release Requested", "Detail": json.dumps(detail)}
        running.emulator.client("events").put_events(Entries=[entry])
    kept = sqs.receive_message(QueueUrl=running.stack.outputs["UndeliveredEventsUrl"], MaxNumberOfMessages=10)
    details = [json.loads(message["Body"])["detail"] for message in kept["Messages"]]
    assert details == [{"cluster": "shoe"}, {"requested_by": "pipeline"}]
    assert stepfunctions.list_executions(stateMachineArn=machine)["executions"] == before


def test_the_next_release_starts_from_what_was_green(running: World, sample: Sample, workload: Workload) -> None:
    blue = running.production()
    assert blue is not running.blue
    wrong = "ALTER TABLE sales.returns ADD COLUMN source text NOT NULL DEFAULT 'web';\nSELECT 1 / 0"
    script = running.put_script("release/1.sql", wrong)
    release = start(running, {"changes": [{"database": "app", "script": script.replace("1.sql", "")}]})
    failed = release.wait_for_approval_request()
    assert failed.subject.startswith("Changes failed in release")
    assert f"{script} line 2: " in failed.body
    assert "division by zero" in failed.body
    right = wrong.replace("SELECT 1 / 0", "CREATE INDEX CONCURRENTLY returns_by_source ON sales.returns (source)")
    running.put_script("release/1.sql", right)
    release.answer("try_again")
    request = next_request(release)
    assert f"app: {script}" in request.body
    release.answer("approve")
    described = release.wait()
    assert described["status"] == "SUCCEEDED", release.failure()
    green = running.server(json.loads(described["output"])["green"])
    assert green.execute("app", "SELECT source FROM sales.returns") == []
    assert green.execute("app", "SELECT count(*) FROM pg_indexes WHERE indexname = 'returns_by_source'") == [[1]]
    before = workload.acknowledged
    eventually(lambda: workload.acknowledged > before + 100)
    workload.stop()
    result = reconcile(sample, workload.journal, blue, green)
    assert result.findings == []
    assert result.blue_refuses_writes


def test_no_secret_is_in_state_data_mails_or_logs(running: World) -> None:
    assert len(SECRETS) >= 8
    written = everything_written(running, RELEASES)
    assert "bluegreen_replication" in written, "the right places are searched"
    assert [secret for secret in SECRETS if secret in written] == []


def test_every_execution_left_a_report_of_all_its_states_in_which_no_secret_is(running: World) -> None:
    left = reports(running)
    machine = running.stack.outputs["StateMachineArn"]
    listed = running.emulator.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert set(left) == {each["executionArn"] for each in listed}
    kinds = {document["outcome"]["kind"] for document, _ in left.values()}
    assert kinds == {"completed", "rejected", "not_answered", "failed"}
    for release in RELEASES:
        document, page = left[release.execution_arn]
        names = [
            event["stateEnteredEventDetails"]["name"]
            for event in release._history()
            if event["type"].endswith("StateEntered")
        ]
        shown = [span["state"] for span in document["timeline"]]
        assert shown == names[: len(shown)]
        assert shown[-1] == "WriteReport", "what comes afterwards only tells of it"
        assert {name for name in names[: len(shown)] if name not in page} == set()
        read(page)
        for text in (json.dumps(document), page):
            assert [secret for secret in SECRETS if secret in text] == []
            assert re.search(r"[A-Za-z0-9+/=]{120}", text) is None, "a task token is as long"
    winner, _ = left[RELEASES[-1].execution_arn]
    assert winner["switchover"]["attempts"] == 2
    assert winner["requests"][-1]["answer"]["approver"] == "local"
    assert winner["costs"]["total_usd"] < 0.05


def test_whoever_measured_what_clients_saw_can_have_it_in_the_report(running: World, tmp_path: Path) -> None:
    arn = RELEASES[-1].execution_arn
    before, _ = reports(running)[arn]
    seen = {"began_at": before["switchover"]["frozen_at"], "bin_ms": 100, "acknowledged": [4, 0, 7], "missing": 0}
    page = write_report(running, arn, seen, tmp_path)
    document = json.loads((tmp_path / "release.json").read_text(encoding="utf-8"))
    assert document["clients"] == seen
    assert "What clients saw" in page.read_text(encoding="utf-8")
    told_since = ("written_at", "ended_at", "elapsed_s", "clone", "costs", "timeline", "clients")
    assert {key for key in before if before[key] != document[key]} <= {*told_since}
    assert reports(running)[arn][0] == document


def test_the_name_servers_answer_with_green_and_its_ttl(running: World) -> None:
    green = running.production().address
    names = ("db.shop.internal", "db.shop.example", "db-ro.shop.internal")
    assert [running.resolver.resolve(name) for name in names] == [green, green, reader_address(green)]


def test_the_input_schema_is_packaged(running: World) -> None:
    assert list(Path(running.emulator.folder / "assets").glob("*/bluegreen/release-input.schema.json"))
