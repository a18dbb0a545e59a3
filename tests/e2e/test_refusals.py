"""What a release refuses: the error names the thing, blue is unharmed, and nothing is left behind."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from local.postgres.binaries import full_version
from local.world import World
from tests.e2e.conftest import MACHINE, start, traces

DATABASES = ("app", "crm")


@pytest.fixture(scope="module", autouse=True)
def _tables(running: World) -> None:
    for database in DATABASES:
        running.blue.execute(database, "CREATE TABLE kept (id int PRIMARY KEY, note text)")


def test_a_table_without_replica_identity_is_named_and_stays_writable(running: World) -> None:
    running.blue.execute("crm", 'CREATE TABLE "No Key" (a int); INSERT INTO "No Key" VALUES (1)')
    before = traces(running, running.blue, DATABASES)
    release = start(running)
    assert release.wait()["error"] == "BlueUnfit"
    assert "crm: public.No Key" in release.failure()
    assert traces(running, running.blue, DATABASES) == before
    assert running.blue.execute("crm", 'UPDATE "No Key" SET a = 2 RETURNING a') == [[2]]
    assert running.blue.execute("crm", 'DELETE FROM "No Key" RETURNING a') == [[2]]
    running.blue.execute("crm", 'DROP TABLE "No Key"')


def test_a_bad_parameter_is_named_with_its_remedy(running: World) -> None:
    running.blue.parameters["max_replication_slots"] = "1"
    running.blue.restart()
    before = traces(running, running.blue, DATABASES)
    release = start(running)
    assert release.wait()["error"] == "BlueUnfit"
    assert "max_replication_slots is 1 and 1 of it is free; 4 are needed" in release.failure()
    assert traces(running, running.blue, DATABASES) == before
    running.blue.parameters["max_replication_slots"] = "20"
    running.blue.restart()


def test_a_version_that_blue_cannot_be_upgraded_to_is_refused_before_anything_is_touched(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running, {"engine_version": "15.1", "parameters": {"wrok_mem": "1MB"}})
    assert release.wait()["error"] == "BlueUnfit"
    assert f"15.1, from {full_version(16)}" in release.failure()
    assert f"set engine_version in the input to one of: {full_version(18)}" in release.failure()
    assert traces(running, running.blue, DATABASES) == before


def test_an_upgrade_that_fails_is_told_with_its_log_and_leaves_nothing_behind(running: World) -> None:
    """What stands in its way comes up after blue was looked at."""
    before = traces(running, running.blue, DATABASES)
    running.emulator.functions.during(
        f"{MACHINE}-CloneBlue",
        before=lambda: running.blue.execute("crm", "CREATE TABLE late (a int PRIMARY KEY, p regproc)"),
    )
    release = start(running, {"engine_version": full_version(18)})
    assert release.wait()["error"] == "GreenFailed"
    assert "pg_upgrade_precheck.log" in release.failure()
    assert "public.late.p" in release.failure()
    assert traces(running, running.blue, DATABASES) == before
    assert running.blue.execute("crm", "INSERT INTO late VALUES (1) RETURNING a") == [[1]]
    running.blue.execute("crm", "DROP TABLE late")


def test_a_check_reports_everything_and_what_is_accepted_is_in_the_request(running: World) -> None:
    running.blue.execute("crm", 'CREATE UNLOGGED TABLE "no trace" (a int)')
    before = traces(running, running.blue, DATABASES)
    check = start(running, {"mode": "check"})
    output = json.loads(check.wait()["output"])
    assert not output["is_fit"]
    (warning,) = (finding for finding in output["findings"] if finding["severity"] != "note")
    fix = 'ALTER TABLE "public"."no trace" SET LOGGED;'
    assert (warning["id"], warning["objects"]) == (
        "unlogged-table",
        [{"in": "crm", "name": "public.no trace", "fix": fix}],
    )
    (mail,) = check.mails()
    assert mail.subject == output["subject"] == "Check of shop: not fit for a release"
    assert fix in mail.body

    refused = start(running)
    assert refused.wait()["error"] == "BlueUnfit"
    assert fix in refused.failure()
    assert traces(running, running.blue, DATABASES) == before

    release = start(running, {"accept": ["unlogged-table"], "requested_by": "the DBA"})
    assert "Warnings, accepted by the DBA: unlogged-table (1)." in release.wait_for_approval_request().body
    assert start(running, {"mode": "check"}).wait()["error"] == "ReleaseInProgress"
    assert "It was never rehearsed." in release.wait_for_approval_request().body
    release.answer("reject")
    assert release.wait()["error"] == "ReleaseRejected"
    assert traces(running, running.blue, DATABASES) == before
    running.blue.execute("crm", 'DROP TABLE "no trace"')


def test_a_rehearsal_says_what_the_release_will_take_and_leaves_its_figures_only(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    rehearsal = start(running, {"mode": "rehearsal"})
    described = rehearsal.wait()
    assert described["status"] == "SUCCEEDED", rehearsal.failure()
    figures = json.loads(described["output"])
    assert figures["states_s"].keys() >= {"PlanRelease", "CloneBlue", "SumUpVerification", "RehearseDns"}
    assert figures["switchover"].keys() == {"recheck_s", "drain_s", "sequences_s", "compare_changed_s"}
    assert figures["dns_s"] > 0
    (mail,) = rehearsal.mails()
    assert mail.subject == f"Rehearsed: release {figures['release_id']} of shop"
    assert "The real one will refuse writes for about" in mail.body
    locks = running.emulator.client("dynamodb").scan(TableName=running.stack.outputs["LockTableName"])["Items"]
    assert [json.loads(item["figures"]["S"]) for item in locks] == [figures]
    assert traces(running, running.blue, DATABASES) == before


def test_an_open_transaction_that_blocks_the_slot_is_named(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    with closing(running.blue.connect("app", "postgres", running.aurora.master_password)) as blocker:
        blocker.run("BEGIN")
        blocker.run("CREATE TABLE in_the_way (a int)")
        pid = blocker.run("SELECT pg_backend_pid()")[0][0]
        release = start(running)
        assert release.wait()["error"] == "SlotBlocked"
        assert f"process {pid}, user postgres, database app" in release.failure()
        assert traces(running, running.blue, DATABASES) == before
        blocker.run("ROLLBACK")


def test_a_database_that_does_not_exist_is_named(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    release = start(running, {"databases": ["app", "nowhere"]})
    release.wait()
    assert "nowhere" in release.failure()
    assert traces(running, running.blue, DATABASES) == before


def test_a_clone_that_aurora_gives_up_on_ends_the_release(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    running.aurora.fail_next("shop-2*", "incompatible-parameters")
    release = start(running)
    described = release.wait()
    assert described["error"] == "GreenFailed", release.failure()
    assert "incompatible-parameters" in release.failure()
    assert traces(running, running.blue, DATABASES) == before


def test_a_record_that_somebody_else_changed_is_left_alone_and_the_rest_cleaned_up(running: World) -> None:
    before = traces(running, running.blue, DATABASES)
    zone = running.stack.config["hosted_zone_id"]
    elsewhere = {
        "Name": running.record,
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": "maintenance.shop.internal"}],
    }
    release = start(running)
    release.wait_for_approval_request()
    running.emulator.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": elsewhere}]}
    )
    release.answer("reject")
    assert release.wait()["error"] == "ReleaseRejected"
    after = traces(running, running.blue, DATABASES)
    before["records"][running.record] = ("CNAME", 60, ["maintenance.shop.internal"])
    assert after == before, "the other records went back"
