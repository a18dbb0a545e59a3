"""The embedded Aurora answers as RDS does, and what it says about servers is true."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds import models
from moto.server import ThreadedMotoServer
from pg8000.exceptions import InterfaceError

from local.aws.aurora import EmbeddedAurora
from local.postgres.servers import Server
from tests.local.conftest import embedded_aurora
from tests.waiting import eventually

REGION = "eu-west-2"
FOREVER = 3600.0
GREEN = "shop-green"


@pytest.fixture
def aurora(folder: Path, tmp_path: Path) -> Iterator[EmbeddedAurora]:
    """One cluster `shop-blue` with the database `app`; states take a moment."""
    with embedded_aurora(folder, tmp_path) as embedded:
        yield embedded


@pytest.fixture
def rds(aurora: EmbeddedAurora) -> Any:
    return boto3.client("rds", region_name=REGION)


def cluster_of(rds: Any, identifier: str) -> dict[str, Any]:
    [cluster] = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
    return dict(cluster)


def instance_of(rds: Any, identifier: str) -> dict[str, Any]:
    [instance] = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    return dict(instance)


def restore(rds: Any, **settings: Any) -> dict[str, Any]:
    answer = rds.restore_db_cluster_to_point_in_time(
        **{
            "DBClusterIdentifier": GREEN,
            "SourceDBClusterIdentifier": "shop-blue",
            "RestoreType": "copy-on-write",
            "UseLatestRestorableTime": True,
            **settings,
        }
    )
    return dict(answer["DBCluster"])


def add_instance(rds: Any, **settings: Any) -> dict[str, Any]:
    answer = rds.create_db_instance(
        **{
            "DBInstanceIdentifier": f"{GREEN}-1",
            "DBInstanceClass": "db.r6g.large",
            "Engine": "aurora-postgresql",
            "DBClusterIdentifier": GREEN,
            **settings,
        }
    )
    return dict(answer["DBInstance"])


def green_with_instance(rds: Any, port: int) -> None:
    restore(rds, Port=port, DBClusterParameterGroupName="shop-blue-cluster")
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "available")
    add_instance(rds)
    eventually(lambda: instance_of(rds, f"{GREEN}-1")["DBInstanceStatus"] == "available")


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_a_new_cluster_is_described_as_production_is_and_answers_at_its_endpoint(
    aurora: EmbeddedAurora, rds: Any
) -> None:
    cluster = cluster_of(rds, "shop-blue")
    assert (cluster["Status"], cluster["Engine"], cluster["Port"]) == ("available", "aurora-postgresql", aurora.port)
    assert cluster["EngineVersion"].startswith("16.")
    assert cluster["DBClusterMembers"] == [
        {
            "DBInstanceIdentifier": "shop-blue-1",
            "IsClusterWriter": True,
            "DBClusterParameterGroupStatus": "in-sync",
            "PromotionTier": 0,
        }
    ]
    assert cluster["TagList"] == [{"Key": "service", "Value": "shop-blue"}]
    instance = instance_of(rds, "shop-blue-1")
    assert instance["DBInstanceStatus"] == "available"
    assert instance["Endpoint"]["Address"] == cluster["Endpoint"] != cluster["ReaderEndpoint"]
    server = aurora.servers["shop-blue"]
    assert (server.address, server.port) == (cluster["Endpoint"], cluster["Port"])
    with socket.create_connection((cluster["ReaderEndpoint"], cluster["Port"])):
        pass  # it is there too
    connection = server.connect("app", "postgres", aurora.master_password)
    assert connection.run("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'") == [["postgres"]]
    connection.close()


def test_a_clone_takes_its_time_and_is_reachable_when_its_first_instance_is(aurora: EmbeddedAurora, rds: Any) -> None:
    blue = aurora.servers["shop-blue"]
    blue.execute("app", "CREATE TABLE t AS SELECT 1 AS n")
    assert restore(rds, Port=aurora.port)["Status"] == "creating"
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "available")
    green = aurora.servers[GREEN]
    assert not green.running
    assert cluster_of(rds, GREEN)["Endpoint"] == green.address != blue.address
    with pytest.raises((InterfaceError, OSError)):
        green.connect("app", "postgres", aurora.master_password)

    first = add_instance(rds)
    assert first["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in first
    eventually(lambda: instance_of(rds, f"{GREEN}-1")["DBInstanceStatus"] == "available")
    assert instance_of(rds, f"{GREEN}-1")["Endpoint"]["Address"] == green.address
    connection = green.connect("app", "postgres", aurora.master_password)
    assert connection.run("SELECT n, aurora_volume_logical_start_lsn() FROM t") == [[1, green.start_lsn]]
    connection.close()
    add_instance(rds, DBInstanceIdentifier=f"{GREEN}-2")
    eventually(lambda: instance_of(rds, f"{GREEN}-2")["DBInstanceStatus"] == "available")
    assert [member["IsClusterWriter"] for member in cluster_of(rds, GREEN)["DBClusterMembers"]] == [True, False]


def test_a_clone_falls_back_to_defaults_for_what_it_is_not_told(aurora: EmbeddedAurora, rds: Any) -> None:
    arn = cluster_of(rds, "shop-blue")["DBClusterArn"]
    rds.create_global_cluster(GlobalClusterIdentifier="shop", SourceDBClusterIdentifier=arn)
    restore(rds)
    green = cluster_of(rds, GREEN)
    assert green["DBClusterParameterGroup"] == "default.aurora-postgresql16"
    assert green["Port"] == 5432
    assert green["VpcSecurityGroups"] == green["TagList"] == green.get("EnabledCloudwatchLogsExports", []) == []
    for flag in ("DeletionProtection", "CopyTagsToSnapshot", "IAMDatabaseAuthenticationEnabled"):
        assert cluster_of(rds, "shop-blue")[flag] is True
        assert green[flag] is False
    assert "GlobalClusterIdentifier" not in green
    assert green["StorageEncrypted"] is True
    assert green["EngineVersion"] == cluster_of(rds, "shop-blue")["EngineVersion"]


def test_a_clone_keeps_what_it_is_told(aurora: EmbeddedAurora, rds: Any) -> None:
    tags = [{"Key": "release", "Value": "r1"}]
    restore(
        rds,
        Port=aurora.port,
        DBClusterParameterGroupName="shop-blue-cluster",
        VpcSecurityGroupIds=["sg-1"],
        DeletionProtection=True,
        Tags=tags,
    )
    green = cluster_of(rds, GREEN)
    assert (green["DBClusterParameterGroup"], green["Port"]) == ("shop-blue-cluster", aurora.port)
    assert green["DeletionProtection"] is True
    assert green["TagList"] == tags
    assert rds.list_tags_for_resource(ResourceName=green["DBClusterArn"])["TagList"] == tags
    assert [group["VpcSecurityGroupId"] for group in green["VpcSecurityGroups"]] == ["sg-1"]


def test_a_server_has_the_parameters_of_its_clusters_group(aurora: EmbeddedAurora, rds: Any) -> None:
    parameters = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="shop-blue-cluster")["Parameters"]
    assert {p["ParameterName"]: p["ParameterValue"] for p in parameters} == {"rds.logical_replication": "1"}
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="other", DBParameterGroupFamily="aurora-postgresql16", Description="another"
    )
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="other",
        Parameters=[{"ParameterName": "max_wal_senders", "ParameterValue": "6", "ApplyMethod": "pending-reboot"}],
    )
    restore(rds, Port=aurora.port, DBClusterParameterGroupName="other")
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "available")
    add_instance(rds)
    eventually(lambda: instance_of(rds, f"{GREEN}-1")["DBInstanceStatus"] == "available")
    settings = "SELECT current_setting('wal_level'), current_setting('max_wal_senders')"
    assert aurora.servers[GREEN].execute("app", settings) == [["replica", "6"]]
    assert aurora.servers["shop-blue"].execute("app", settings) == [["logical", "20"]]


def test_rds_refuses_what_it_refuses_on_aws(aurora: EmbeddedAurora, rds: Any) -> None:
    gone = "shop-unknown"
    aurora.latency_s = FOREVER
    restore(rds, Port=aurora.port)
    refused = {
        "a clone that exists": (lambda: restore(rds), "DBClusterAlreadyExistsFault"),
        "a clone of nothing": (
            lambda: restore(rds, DBClusterIdentifier="x", SourceDBClusterIdentifier=gone),
            "DBClusterNotFoundFault",
        ),
        "a clone of a clone that is not there yet": (
            lambda: restore(rds, DBClusterIdentifier="x", SourceDBClusterIdentifier=GREEN),
            "InvalidDBClusterStateFault",
        ),
        "a full copy": (
            lambda: restore(rds, DBClusterIdentifier="x", RestoreType="full-copy"),
            "InvalidParameterValue",
        ),
        "a parameter group that is not there": (
            lambda: restore(rds, DBClusterIdentifier="x", DBClusterParameterGroupName=gone),
            "DBClusterParameterGroupNotFound",
        ),
        "an instance too early": (lambda: add_instance(rds), "InvalidDBClusterStateFault"),
        "an instance in no cluster": (lambda: add_instance(rds, DBClusterIdentifier=gone), "DBClusterNotFoundFault"),
        "an instance that exists": (
            lambda: add_instance(rds, DBInstanceIdentifier="shop-blue-1", DBClusterIdentifier="shop-blue"),
            "DBInstanceAlreadyExists",
        ),
        "deleting while creating": (
            lambda: rds.delete_db_cluster(DBClusterIdentifier=GREEN, SkipFinalSnapshot=True),
            "InvalidDBClusterStateFault",
        ),
        "deleting what is protected": (
            lambda: rds.delete_db_cluster(DBClusterIdentifier="shop-blue", SkipFinalSnapshot=True),
            "InvalidParameterCombination",
        ),
        "deleting nothing": (
            lambda: rds.delete_db_cluster(DBClusterIdentifier=gone, SkipFinalSnapshot=True),
            "DBClusterNotFoundFault",
        ),
        "deleting no instance": (lambda: rds.delete_db_instance(DBInstanceIdentifier=gone), "DBInstanceNotFound"),
        "changing nothing": (lambda: rds.modify_db_cluster(DBClusterIdentifier=gone), "DBClusterNotFoundFault"),
    }
    assert {what: error_of(call) for what, (call, _) in refused.items()} == {
        what: code for what, (_, code) in refused.items()
    }
    rds.modify_db_cluster(DBClusterIdentifier="shop-blue", DeletionProtection=False)
    still_has_an_instance = error_of(
        lambda: rds.delete_db_cluster(DBClusterIdentifier="shop-blue", SkipFinalSnapshot=True)
    )
    assert still_has_an_instance == "InvalidDBClusterStateFault"
    assert cluster_of(rds, "shop-blue")["Status"] == "available"


def test_deleting_takes_its_time_and_takes_the_server_along(aurora: EmbeddedAurora, rds: Any) -> None:
    green_with_instance(rds, aurora.port)
    server = aurora.servers[GREEN]
    deleted = rds.delete_db_instance(DBInstanceIdentifier=f"{GREEN}-1", SkipFinalSnapshot=True)
    assert deleted["DBInstance"]["DBInstanceStatus"] == "deleting"
    eventually(lambda: not server.running)
    eventually(lambda: cluster_of(rds, GREEN)["DBClusterMembers"] == [])
    assert error_of(lambda: instance_of(rds, f"{GREEN}-1")) == "DBInstanceNotFound"
    add_instance(rds)
    eventually(lambda: server.running)

    aurora.latency_s = 1.0
    rds.delete_db_instance(DBInstanceIdentifier=f"{GREEN}-1", SkipFinalSnapshot=True)
    again = error_of(lambda: rds.delete_db_instance(DBInstanceIdentifier=f"{GREEN}-1"))
    assert again in ("InvalidDBInstanceState", "DBInstanceNotFound")
    answer = rds.delete_db_cluster(DBClusterIdentifier=GREEN, SkipFinalSnapshot=True)
    assert answer["DBCluster"]["Status"] == "deleting"
    eventually(lambda: not server.folder.exists())
    eventually(lambda: GREEN not in {c["DBClusterIdentifier"] for c in rds.describe_db_clusters()["DBClusters"]})
    assert error_of(lambda: cluster_of(rds, GREEN)) == "DBClusterNotFoundFault"
    assert GREEN not in aurora.servers


def test_a_clone_and_an_instance_can_be_made_to_fail(aurora: EmbeddedAurora, rds: Any) -> None:
    aurora.fail_next("shop-gr*", "cloning-failed")
    restore(rds, Port=aurora.port)
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "cloning-failed")
    rds.delete_db_cluster(DBClusterIdentifier=GREEN, SkipFinalSnapshot=True)
    eventually(lambda: len(rds.describe_db_clusters()["DBClusters"]) == 1)

    restore(rds, Port=aurora.port)
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "available")
    aurora.fail_next(f"{GREEN}-1", "incompatible-parameters")
    add_instance(rds)
    eventually(lambda: instance_of(rds, f"{GREEN}-1")["DBInstanceStatus"] == "incompatible-parameters")
    assert not aurora.servers[GREEN].running


def test_a_clone_of_a_server_that_is_down_fails(aurora: EmbeddedAurora, rds: Any) -> None:
    aurora.servers["shop-blue"].kill()
    restore(rds, Port=aurora.port)
    eventually(lambda: cluster_of(rds, GREEN)["Status"] == "cloning-failed")
    aurora.servers["shop-blue"].start()


def test_membership_in_rds_replication_lets_a_role_replicate(aurora: EmbeddedAurora) -> None:
    blue = aurora.servers["shop-blue"]
    for turn in range(20):
        blue.execute("app", f"CREATE ROLE r{turn} LOGIN; GRANT rds_replication TO r{turn}")
        aurora.sync_roles()
        assert _may_replicate(blue, f"r{turn}")
        blue.execute("app", f"REVOKE rds_replication FROM r{turn}; DROP ROLE r{turn}")
    blue.execute("app", "CREATE ROLE later LOGIN; GRANT rds_replication TO later")
    eventually(lambda: _may_replicate(blue, "later"))


def _may_replicate(server: Server, role: str) -> bool:
    [[may]] = server.execute("app", "SELECT rolreplication FROM pg_roles WHERE rolname = :role", role=role)
    return bool(may)


def test_runs_at_the_same_time_do_not_get_in_each_others_way(aurora: EmbeddedAurora, folder: Path) -> None:
    place = folder / "second-run"
    place.mkdir(mode=0o711)
    second = EmbeddedAurora(place, aurora.port, "eu-west-1", latency_s=0.1)
    try:
        server = second.create_cluster("shop-blue", 16, [])
        assert server.port == aurora.port
        assert server.address != aurora.servers["shop-blue"].address
        assert not aurora.servers["shop-blue"].folder.samefile(server.folder)
    finally:
        second.close()
    assert not server.running
    assert aurora.servers["shop-blue"].running
    assert type(models.rds_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]) is models.RDSBackend


def test_it_is_the_same_over_http(folder: Path, tmp_path: Path) -> None:
    place = folder / tmp_path.name
    place.mkdir(mode=0o711)
    moto_server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto_server.start()
    aurora = EmbeddedAurora(place, 0, REGION, latency_s=0.1)
    try:
        host, port = moto_server.get_host_and_port()
        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        rds = boto3.client("rds", region_name=REGION, endpoint_url=f"http://{host}:{port}", **credentials)
        aurora.create_cluster("shop-blue", 16, ["app"])
        assert error_of(lambda: restore(rds, SourceDBClusterIdentifier="nothing")) == "DBClusterNotFoundFault"
        green_with_instance(rds, aurora.port)
        assert aurora.servers[GREEN].running
    finally:
        aurora.close()
        moto_server.stop()
