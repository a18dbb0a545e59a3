"""Releases of a global database: green gets its secondaries, and nothing of them is left of a release that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.postgres.servers import reader_address
from local.release import Release
from local.world import BLUE, RECORD_AWAY, World, world
from tests.e2e.conftest import MACHINE, break_function, may, next_request, records, recover_soon, start, traces
from tests.waiting import eventually

AWAY = "eu-west-1"
GLOBAL_STATES = ("CreateGlobalCluster", "CreateSecondary", "WaitForSecondary", "WaitForGlobalLag")
ACCEPT = ["global-endpoint"]


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    quick = {"verify_workers": 1}
    with world(
        databases=["app"],
        latency_s=0.1,
        propagation_s=0.1,
        record_ttl_s=2,
        overrides=quick,
        secondary_region=AWAY,
    ) as made:
        made.emulator.retry_scale = 0.1
        recover_soon(made)
        made.blue.execute("app", "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)")
        yield made


def rds(running: World, region: str) -> Any:
    return running.emulator.client("rds", region)


def inventory(running: World) -> dict[str, Any]:
    """Everything that a release may leave behind, in all Regions."""
    return traces(running, running.production(), ("app",))


def passed(release: Release) -> list[str]:
    return [step.name for step in release.new_steps()]


CHANGES = (
    ("DeleteGreen", "DeleteDBCluster", "DBClusterIdentifier", ""),
    ("DeleteGreen", "ModifyDBCluster", "DBClusterIdentifier", ""),
    ("DeleteGreen", "DeleteDBInstance", "DBInstanceIdentifier", "-1"),
    ("DeleteGreen", "DeleteGlobalCluster", "GlobalClusterIdentifier", "-global"),
    ("WaitForGreen", "ModifyDBCluster", "DBClusterIdentifier", ""),
    ("UpgradeGreen", "ModifyDBCluster", "DBClusterIdentifier", ""),
    ("WaitForUpgrade", "ModifyDBCluster", "DBClusterIdentifier", ""),
    ("WaitForUpgrade", "RebootDBInstance", "DBInstanceIdentifier", "-1"),
    ("WaitForSecondary", "ModifyDBCluster", "DBClusterIdentifier", ""),
    ("UpgradeGreen", "ModifyDBClusterParameterGroup", "DBClusterParameterGroupName", ""),
    ("CreateSecondary", "ModifyDBClusterParameterGroup", "DBClusterParameterGroupName", ""),
    ("DeleteGreen", "DeleteDBClusterParameterGroup", "DBClusterParameterGroupName", ""),
)
"""What releases do to a green: which state does what to which part, and how that is named after the cluster."""


def may_change(running: World, identifier: str) -> set[tuple[str, str]]:
    """Who may do what to a cluster of that name, in any Region."""
    return {
        (state, operation)
        for region in (running.emulator.region, AWAY)
        for state, operation, parameter, suffix in CHANGES
        if may(state, operation, region, **{parameter: f"{identifier}{suffix}"})
    }


def test_a_release_that_is_killed_in_every_state_of_it_and_then_stopped_leaves_nothing(running: World) -> None:
    """With parameters of its own, so that each Region gets a group."""
    before, made = inventory(running), {}
    for number, state in enumerate((*GLOBAL_STATES, "DeleteGreen")):
        break_function(running, state, ("kill_after", "twice")[number % 2])
    releases: list[Release] = []

    def stop() -> None:
        arn = releases[0].execution_arn
        made.update(inventory(running))
        running.emulator.client("stepfunctions").stop_execution(executionArn=arn)

    running.emulator.functions.during(f"{MACHINE}-BeginVerification", before=stop)
    releases.append(start(running, {"parameters": {"work_mem": "5MB"}, "accept": ACCEPT}))
    assert releases[0].wait()["status"] == "ABORTED", releases[0].failure()
    new = {key: sorted(set(made[key]) - set(before[key])) for key in ("parameter_groups", "groups away")}
    (green,) = set(made["clusters"]) - {BLUE}
    assert new == {key: [f"cluster-pg:{green}"] for key in new}
    eventually(lambda: inventory(running) == before)


def test_readers_of_every_region_move_and_move_back(running: World) -> None:
    before, there = records(running), inventory(running)
    break_function(running, "OpenGreen", "raise")
    release = start(running, {"parameters": {"work_mem": "5MB"}, "accept": ACCEPT})
    request = release.wait_for_approval_request()
    assert f"Green's secondaries are in step: {AWAY} " in request.body
    assert f"{RECORD_AWAY} CNAME, readers in {AWAY}" in request.body
    made = inventory(running)
    (name,) = set(made["clusters"]) - {BLUE}
    assert made["clusters away"] == sorted([*there["clusters away"], name])
    assert made["global clusters"] == there["global clusters"] | {f"{name}-global": 2}
    theirs, ours = (
        rds(running, AWAY).describe_db_instances(DBInstanceIdentifier=f"{each}-1")["DBInstances"][0]
        for each in (f"{BLUE}-{AWAY}", name)
    )
    assert (ours["DBInstanceClass"], ours["PromotionTier"]) == (theirs["DBInstanceClass"], theirs["PromotionTier"])
    assert may_change(running, name) == {(state, operation) for state, operation, *_ in CHANGES}
    release.answer("approve")
    next_request(release)
    assert {name: values for name, (_, _, values) in records(running).items()} == {
        name: values for name, (_, _, values) in before.items()
    }, "the abort moved them back"
    release.answer("approve")
    described = release.wait()
    assert described["status"] == "SUCCEEDED", release.failure()
    green = json.loads(described["output"])["green"]
    assert running.away
    secondary = running.away.servers[green]
    assert running.resolver.resolve(RECORD_AWAY) == reader_address(secondary.address)
    assert may_change(running, green) == set(), "it is production"
    assert (inventory(running)["tagged"], inventory(running)["tagged away"]) == ([], [])
    running.production().execute("app", "INSERT INTO t VALUES (2)")
    eventually(lambda: secondary.execute("app", "SELECT count(*) FROM t") == [[2]])
    assert secondary.execute("app", "SELECT pg_is_in_recovery()") == [[True]]


def test_after_the_cutover_it_goes_on_where_it_was_killed_also_when_the_execution_is_stopped(running: World) -> None:
    """Without the record of the other Region, which would have nowhere to go meanwhile: that is refused."""
    refused = start(running, {"accept": ACCEPT, "globalize": "after_cutover"})
    assert refused.wait()["error"] == "InputInvalid"
    assert RECORD_AWAY in refused.failure()
    client = running.emulator.client("lambda")
    name = f"{MACHINE}-PlanRelease"
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    variables["RECORDS"] = json.dumps([each for each in json.loads(variables["RECORDS"]) if not each["region"]])
    client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    break_function(running, "CreateSecondary", "kill_after")
    release = start(running, {"accept": ACCEPT, "globalize": "after_cutover"})
    release.wait_for_approval_request()
    assert "CreateGlobalCluster" not in passed(release)
    stepfunctions = running.emulator.client("stepfunctions")
    running.emulator.functions.during(
        f"{MACHINE}-CreateGlobalCluster",
        before=lambda: stepfunctions.stop_execution(executionArn=release.execution_arn),
    )
    release.answer("approve")
    assert release.wait()["status"] == "ABORTED"
    eventually(lambda: inventory(running)["locks"] == [], timeout_s=60)
    assert not running.emulator.functions.pending()
    (green,) = (name for name, server in running.aurora.servers.items() if server is running.production())
    assert running.away
    assert running.away.servers[green].execute("app", "SELECT count(*) FROM t") == [[2]]
    assert inventory(running)["global clusters"][f"{green}-global"] == 2
    assert may_change(running, green) == set(), "it is production"


def make_groups(there: Any, identifier: str) -> None:
    """Parameter groups as the release has made them that a cluster came from, beside those that it has.

    An earlier version of the application has left some of them the tag of releases.
    """
    made = {
        "DBParameterGroupFamily": "aurora-postgresql16",
        "Description": "made by a release",
    }
    for name, tag in ((identifier, "bluegreen:release"), (f"{identifier}-clone", "bluegreen:made-by")):
        tags = [{"Key": tag, "Value": "20260101-0000-abcdef"}]
        there.create_db_cluster_parameter_group(DBClusterParameterGroupName=name, Tags=tags, **made)
        there.create_db_parameter_group(DBParameterGroupName=name, Tags=tags, **made)


def test_the_end_of_blue_takes_its_secondary_and_its_global_cluster_along_also_when_it_is_stopped_halfway(
    running: World,
) -> None:
    for region, name in ((running.emulator.region, BLUE), (AWAY, f"{BLUE}-{AWAY}")):
        make_groups(rds(running, region), name)
    before, stepfunctions = inventory(running), running.emulator.client("stepfunctions")
    machine = running.stack.outputs["DecommissionStateMachineArn"]

    def executions() -> list[Release]:
        listed = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
        return [Release(stepfunctions, each["executionArn"], running.mail_folder) for each in listed]

    def request() -> Release:
        known = {each.execution_arn for each in executions()}
        detail = json.dumps({"cluster": "shop", "cluster_identifier": BLUE, "end": "delete"})
        event = {"Source": "release.pipeline", "DetailType": "Decommission Requested", "Detail": detail}
        running.emulator.client("events").put_events(Entries=[event])
        eventually(lambda: len(executions()) > len(known))
        (new,) = (each for each in executions() if each.execution_arn not in known)
        return new

    def stop() -> None:
        for each in executions():
            if each.running:
                stepfunctions.stop_execution(executionArn=each.execution_arn)

    running.emulator.functions.during(f"{MACHINE}-RemoveSecondaries", after=stop)
    first = request()
    eventually(lambda: not first.running)
    assert first.describe()["status"] == "ABORTED"
    for state, fault in {
        "RetireCluster": "twice",
        "RemoveSecondaries": "kill_after",
        "RemoveFromGlobalCluster": "kill_before",
        "DeleteGlobalCluster": "twice",
        "DeleteCluster": "kill_after",
    }.items():
        break_function(running, state, fault)  # type: ignore[arg-type]
    second = request()
    assert second.wait()["status"] == "SUCCEEDED", second.failure()
    assert not running.emulator.functions.pending()
    after, whole = inventory(running), f"{BLUE}-{AWAY}"
    assert whole in second.mails()[-1].body
    assert set(before["clusters"]) - set(after["clusters"]) == {BLUE}
    assert set(before["clusters away"]) - set(after["clusters away"]) == {whole}
    assert before["instances away"] - after["instances away"] == 1
    for key, name in (("parameter_groups", BLUE), ("groups away", whole)):
        made = {f"{kind}:{name}{suffix}" for kind in ("cluster-pg", "pg") for suffix in ("", "-clone")}
        assert set(before[key]) - set(after[key]) == made
    assert len(before["global clusters"]) - len(after["global clusters"]) == 1
    assert {key: after[key] for key in ("records", "secrets", "locks")} == {
        key: before[key] for key in ("records", "secrets", "locks")
    }
