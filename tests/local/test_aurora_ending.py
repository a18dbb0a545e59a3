"""The embedded Aurora at the end of a cluster, and what the library makes of it: clusters that are taken away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bluegreen.ending import decommission
from bluegreen.ending.decommission import NO_SNAPSHOT, RETIRED_TAG, Decommission
from bluegreen.ending.planning import snapshot_name
from bluegreen.errors import BlueGreenError, ClusterBusy, ClusterInUse, SnapshotFailed
from bluegreen.model import Cluster
from bluegreen.rds import removal
from bluegreen.rds.aurora import describe_cluster
from bluegreen.rds.removal import Member
from local.aws.aurora import EmbeddedAurora
from local.aws.seams import rds_global
from tests.local.conftest import embedded_aurora
from tests.unit.conftest import plan as plan  # the fixture
from tests.waiting import eventually

REGION = "eu-west-2"
BLUE, EU, GREEN = "shop-blue", "shop-blue-eu", "shop-20261123-0405-abcdef"


@pytest.fixture
def aurora(folder: Path, tmp_path: Path) -> Iterator[EmbeddedAurora]:
    """One cluster `shop-blue`; states take a moment."""
    with embedded_aurora(folder, tmp_path, (), latency_s=0.05) as embedded:
        yield embedded


@pytest.fixture
def rds(aurora: EmbeddedAurora) -> Any:
    return boto3.client("rds", region_name=REGION)


def add_secondary(rds: Any, aurora: EmbeddedAurora, primary: str, name: str, **settings: Any) -> None:
    """A global cluster of `primary`, and a clone of it that stands for the secondary of another Region."""
    arn = cluster_of(rds, primary)["DBClusterArn"]
    rds.create_global_cluster(GlobalClusterIdentifier=primary, SourceDBClusterIdentifier=arn)
    rds.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier=name,
        SourceDBClusterIdentifier=BLUE,
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        Port=aurora.port,
        **settings,
    )
    eventually(lambda: cluster_of(rds, name)["Status"] == "available")
    joining = aurora._backend.clusters[name]
    rds_global.global_clusters()[primary].members.append(joining)
    joining.global_cluster_identifier = primary


def cluster_of(rds: Any, identifier: str) -> dict[str, Any]:
    [cluster] = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
    return dict(cluster)


def inventory(rds: Any) -> dict[str, list[str]]:
    """The names of everything that costs."""
    return {
        "clusters": sorted(each["DBClusterIdentifier"] for each in rds.describe_db_clusters()["DBClusters"]),
        "instances": sorted(each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]),
        "global clusters": [
            each["GlobalClusterIdentifier"] for each in rds.describe_global_clusters()["GlobalClusters"]
        ],
        "snapshots": sorted(
            each["DBClusterSnapshotIdentifier"]
            for each in rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        ),
    }


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    code: str = caught.value.response["Error"]["Code"]
    return code


def done(step: Callable[[], object], busy: type[BlueGreenError] = ClusterBusy) -> bool:
    """Whether a step has come to its end, as the state machine asks it again and again."""
    with contextlib.suppress(busy):
        step()
        return True
    return False


def ending(rds: Any, **fields: Any) -> Decommission:
    cluster = cluster_of(rds, BLUE)
    where = Cluster(BLUE, cluster["Endpoint"], cluster["Port"])
    snapshot = snapshot_name(BLUE, datetime(2026, 11, 23, 4, 5, 6))  # noqa: DTZ001 - it is part of a name
    plan = Decommission("20261123-0405-abcdef", REGION, where, "delete", snapshot, "")
    return replace(plan, resource_id=cluster["DbClusterResourceId"], **fields)


def steps(rds: Any, plan: Decommission) -> list[Callable[[], object]]:
    """What the state machine calls, in its order."""

    def there(region: str = "") -> Any:
        return rds

    end = decommission.stop if plan.end == "stop" else decommission.delete
    return [
        lambda: decommission.take_snapshot(rds, plan),
        lambda: decommission.require_snapshot(rds, plan),
        lambda: decommission.retire(there, plan),
        lambda: decommission.remove_secondaries(there, plan),
        lambda: decommission.remove_from_global_cluster(there, plan),
        lambda: decommission.delete_global_cluster(rds, plan),
        lambda: end(there, plan),
    ]


def test_a_cluster_that_was_made_later_under_the_same_name_is_left_alone(aurora: EmbeddedAurora, rds: Any) -> None:
    plan = ending(rds)
    namesake = replace(plan, resource_id="cluster-OFTHEPAST")
    with pytest.raises(SnapshotFailed, match="gone"):
        decommission.take_snapshot(rds, namesake)
    rds.create_db_cluster_snapshot(DBClusterIdentifier=BLUE, DBClusterSnapshotIdentifier=namesake.snapshot_identifier)
    eventually(lambda: done(lambda: decommission.require_snapshot(rds, namesake)))
    for step in steps(rds, namesake)[2:]:
        assert done(step), "there is nothing left to be done"
    assert cluster_of(rds, BLUE)["Status"] == "available"
    assert decommission.RETIRED_TAG not in removal.tags_of(cluster_of(rds, BLUE))
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=namesake.snapshot_identifier)


def test_a_cluster_is_stopped_and_started_with_its_server(aurora: EmbeddedAurora, rds: Any) -> None:
    server = aurora.servers[BLUE]
    assert rds.stop_db_cluster(DBClusterIdentifier=BLUE)["DBCluster"]["Status"] == "stopping"
    assert error_of(lambda: rds.stop_db_cluster(DBClusterIdentifier=BLUE)) == "InvalidDBClusterStateFault"
    eventually(lambda: cluster_of(rds, BLUE)["Status"] == "stopped")
    assert not server.running
    refused = {
        "InvalidDBInstanceState": lambda: rds.delete_db_instance(DBInstanceIdentifier=f"{BLUE}-1"),
        "InvalidDBClusterStateFault": lambda: rds.create_db_cluster_snapshot(
            DBClusterIdentifier=BLUE, DBClusterSnapshotIdentifier="late"
        ),
    }
    assert {code: error_of(call) for code, call in refused.items()} == {code: code for code in refused}
    aurora.start_after_seven_days(BLUE)
    eventually(lambda: cluster_of(rds, BLUE)["Status"] == "available")
    assert server.running


def test_a_snapshot_takes_its_time_and_can_fail(aurora: EmbeddedAurora, rds: Any) -> None:
    plan = ending(rds)
    aurora.fail_next("*-final-*", "SnapshotQuotaExceeded")
    assert error_of(lambda: decommission.take_snapshot(rds, plan)) == "SnapshotQuotaExceeded"
    aurora.fail_next("*-final-*", "failed")
    decommission.take_snapshot(rds, plan)
    with pytest.raises(ClusterBusy, match="being made"):
        decommission.require_snapshot(rds, plan)
    eventually(lambda: (decommission.find_snapshot(rds, plan.snapshot_identifier) or {})["Status"] == "failed")
    with pytest.raises(SnapshotFailed, match=plan.snapshot_identifier):
        decommission.require_snapshot(rds, plan)
    for step in (4, 6):
        with pytest.raises(SnapshotFailed):
            steps(rds, plan)[step]()
    with pytest.raises(SnapshotFailed):
        decommission.retire(lambda region="": rds, plan)
    assert RETIRED_TAG not in removal.tags_of(cluster_of(rds, BLUE))
    assert inventory(rds)["instances"] == [f"{BLUE}-1"]


@pytest.mark.parametrize("error", ["DBClusterQuotaExceededFault", "InsufficientDBClusterCapacityFault"])
def test_a_cluster_can_be_refused(aurora: EmbeddedAurora, rds: Any, error: str) -> None:
    aurora.fail_next(GREEN, error)
    assert error_of(lambda: add_secondary(rds, aurora, BLUE, GREEN)) == error
    aurora.fail_next(f"{BLUE}-2", "InstanceQuotaExceeded")
    instance = {"DBClusterIdentifier": BLUE, "DBInstanceClass": "db.r6g.large", "Engine": "aurora-postgresql"}
    refused = error_of(lambda: rds.create_db_instance(DBInstanceIdentifier=f"{BLUE}-2", **instance))
    assert refused == "InstanceQuotaExceeded"
    assert (inventory(rds)["clusters"], inventory(rds)["instances"]) == ([BLUE], [f"{BLUE}-1"])


def test_members_of_a_global_cluster_stay_until_they_have_left_it(aurora: EmbeddedAurora, rds: Any) -> None:
    add_secondary(rds, aurora, BLUE, EU)
    arns = {name: cluster_of(rds, name)["DBClusterArn"] for name in (BLUE, EU)}
    rds.modify_global_cluster(GlobalClusterIdentifier=BLUE, DeletionProtection=True)
    refused: dict[str, tuple[Callable[[], object], str]] = {
        "stopping a member": (lambda: rds.stop_db_cluster(DBClusterIdentifier=BLUE), "InvalidDBClusterStateFault"),
        "deleting a member": (
            lambda: rds.delete_db_cluster(DBClusterIdentifier=EU, SkipFinalSnapshot=True),
            "InvalidDBClusterStateFault",
        ),
        "the primary first": (
            lambda: rds.remove_from_global_cluster(GlobalClusterIdentifier=BLUE, DbClusterIdentifier=arns[BLUE]),
            "InvalidGlobalClusterStateFault",
        ),
        "out of another": (
            lambda: rds.remove_from_global_cluster(GlobalClusterIdentifier="no", DbClusterIdentifier=arns[EU]),
            "GlobalClusterNotFoundFault",
        ),
        "a protected one": (
            lambda: rds.delete_global_cluster(GlobalClusterIdentifier=BLUE),
            "InvalidParameterCombination",
        ),
    }
    assert {what: error_of(call) for what, (call, _) in refused.items()} == {
        what: code for what, (_, code) in refused.items()
    }
    rds.modify_global_cluster(GlobalClusterIdentifier=BLUE, DeletionProtection=False)
    assert error_of(lambda: rds.delete_global_cluster(GlobalClusterIdentifier=BLUE)) == "InvalidGlobalClusterStateFault"


@pytest.mark.parametrize("end", ["stop", "delete"])
def test_a_global_cluster_comes_to_its_end_whenever_a_step_dies_and_runs_twice(
    aurora: EmbeddedAurora, rds: Any, end: decommission.End
) -> None:
    add_secondary(rds, aurora, BLUE, EU)
    rds.modify_global_cluster(GlobalClusterIdentifier=BLUE, DeletionProtection=True)
    plan = ending(rds, end=end, global_cluster_identifier=BLUE, secondaries=(Member(REGION, EU),))
    for step in steps(rds, plan)[:2]:
        eventually(lambda step=step: done(step))  # type: ignore[misc]
    with pytest.raises(ClusterInUse, match="does not carry the tag"):
        steps(rds, plan)[-1]()
    so_far: list[Callable[[], object]] = []
    for step in steps(rds, plan):
        so_far.append(step)
        for each in so_far:  # as after a death: all from the beginning, and the last one twice
            eventually(lambda each=each: done(each))  # type: ignore[misc]
        eventually(lambda step=step: done(step))  # type: ignore[misc]
    assert inventory(rds) == {
        "clusters": [BLUE] if end == "stop" else [],
        "instances": [f"{BLUE}-1"] if end == "stop" else [],
        "global clusters": [],
        "snapshots": [plan.snapshot_identifier],
    }
    tags = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=plan.snapshot_identifier)
    assert {"Key": "service", "Value": BLUE} in tags["DBClusterSnapshots"][0]["TagList"]
    if end == "stop":
        assert cluster_of(rds, BLUE)["Status"] == "stopped"
        assert not aurora.servers[BLUE].running
        later = replace(plan, end="delete")
        eventually(lambda: all(done(step) for step in steps(rds, later)))
        assert inventory(rds)["clusters"] == inventory(rds)["instances"] == []


def test_a_member_that_joined_after_the_plan_is_not_left_behind(aurora: EmbeddedAurora, rds: Any) -> None:
    add_secondary(rds, aurora, BLUE, EU)
    plan = ending(rds, global_cluster_identifier=BLUE)
    for step in steps(rds, plan)[:2]:
        eventually(lambda step=step: done(step))  # type: ignore[misc]
    with pytest.raises(ClusterInUse, match=EU):
        steps(rds, plan)[2]()
    assert RETIRED_TAG not in removal.tags_of(cluster_of(rds, BLUE)), "nothing is marked"
    with pytest.raises(ClusterInUse, match="does not carry the tag"):
        decommission.delete_global_cluster(rds, plan)
    known = replace(plan, secondaries=(Member(REGION, EU),))
    for step in steps(rds, known)[:3]:
        eventually(lambda step=step: done(step))  # type: ignore[misc]
    with pytest.raises(ClusterInUse, match=EU):
        steps(rds, plan)[4]()


def test_a_clone_that_was_abandoned_goes_without_a_snapshot(aurora: EmbeddedAurora, rds: Any) -> None:
    plan = ending(rds, snapshot_identifier=NO_SNAPSHOT)
    for step in steps(rds, plan)[1:]:
        eventually(lambda step=step: done(step))  # type: ignore[misc]
    assert describe_cluster(rds, BLUE) is None
    assert inventory(rds)["snapshots"] == []
