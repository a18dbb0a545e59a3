"""The emulator upgrades clusters by pg_upgrade, refuses what RDS refuses, and goes back as RDS does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.aws.aurora import EmbeddedAurora
from local.aws.seams import rds_engines
from tests.local.conftest import embedded_aurora
from tests.local.test_aurora import REGION, cluster_of, error_of, instance_of
from tests.waiting import eventually

BLUE = "shop-blue"


@pytest.fixture
def aurora(folder: Path, tmp_path: Path) -> Iterator[EmbeddedAurora]:
    """A cluster at 16; states take a moment."""
    with embedded_aurora(folder, tmp_path, work_mem="7MB") as embedded:
        yield embedded


@pytest.fixture
def rds(aurora: EmbeddedAurora) -> Any:
    client = boto3.client("rds", region_name=REGION)
    for operation, member in (
        ("db_cluster_parameter_group", "DBClusterParameterGroup"),
        ("db_parameter_group", "DBParameterGroup"),
    ):
        create = getattr(client, f"create_{operation}")
        create(**{f"{member}Name": "at-18"}, DBParameterGroupFamily="aurora-postgresql18", Description="-")
    client.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="at-18",
        Parameters=[
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for name, value in (("rds.logical_replication", "1"), ("work_mem", "9MB"))
        ],
    )
    return client


def upgrade(rds: Any, **settings: Any) -> Any:
    return rds.modify_db_cluster(
        **{
            "DBClusterIdentifier": BLUE,
            "EngineVersion": rds_engines.versions()[18],
            "AllowMajorVersionUpgrade": True,
            "DBClusterParameterGroupName": "at-18",
            "DBInstanceParameterGroupName": "at-18",
            "ApplyImmediately": True,
            **settings,
        }
    )


def log_of(rds: Any) -> str:
    """What an upgrade that failed has written."""
    instance = {"DBInstanceIdentifier": f"{BLUE}-1"}
    files = rds.describe_db_log_files(**instance, FilenameContains="pg_upgrade")["DescribeDBLogFiles"]
    return "".join(
        rds.download_db_log_file_portion(**instance, LogFileName=file["LogFileName"])["LogFileData"] for file in files
    )


def group_status(rds: Any) -> str:
    return str(instance_of(rds, f"{BLUE}-1")["DBParameterGroups"][0]["ParameterApplyStatus"])


def test_an_upgrade_is_refused_that_fails_and_then_brings_everything_along(aurora: EmbeddedAurora, rds: Any) -> None:
    server, old = aurora.servers[BLUE], cluster_of(rds, BLUE)["EngineVersion"]
    assert error_of(lambda: upgrade(rds, EngineVersion="15.1")) == "InvalidParameterCombination"
    assert error_of(lambda: upgrade(rds, AllowMajorVersionUpgrade=False)) == "InvalidParameterCombination"
    of_16 = f"{BLUE}-cluster"
    assert error_of(lambda: upgrade(rds, DBClusterParameterGroupName=of_16)) == "InvalidParameterCombination"
    assert error_of(lambda: upgrade(rds, DBClusterParameterGroupName="none")) == "DBClusterParameterGroupNotFound"
    assert error_of(lambda: upgrade(rds, EngineVersion=old)) == "InvalidParameterCombination"

    server.execute("app", "CREATE TABLE t AS SELECT n, n::text AS text FROM generate_series(1, 1000) n; ANALYZE t")
    server.execute("postgres", "CREATE ROLE reader LOGIN; GRANT rds_replication TO reader")
    server.execute("app", "CREATE TABLE wrong (p regproc)")
    server.execute("app", "SELECT pg_create_logical_replication_slot('unread', 'pgoutput')")
    for cause, remedy in (
        ("unread", "SELECT pg_drop_replication_slot('unread')"),
        ("public.wrong.p", "DROP TABLE wrong"),
    ):
        upgrade(rds)
        eventually(lambda cause=cause: cause in log_of(rds))  # type: ignore[misc]
        eventually(lambda: cluster_of(rds, BLUE)["Status"] == "available")
        assert cluster_of(rds, BLUE)["EngineVersion"] == old
        assert server.execute("app", "SELECT count(*) FROM t") == [[1000]]
        server.execute("app", remedy)

    aurora.sync_roles()
    upgrade(rds)
    eventually(lambda: cluster_of(rds, BLUE)["EngineVersion"].startswith("18."))
    assert cluster_of(rds, BLUE)["DBClusterParameterGroup"] == "at-18"
    connection = server.connect("app", "postgres", aurora.master_password)
    shown = "SELECT current_setting('server_version_num')::int / 10000, current_setting('work_mem'), count(*) FROM t"
    assert connection.run(shown) == [[18, "9MB", 1000]]
    assert connection.run("SELECT rolreplication FROM pg_roles WHERE rolname = 'reader'") == [[True]]
    assert connection.run("SELECT count(*) FROM pg_stats WHERE tablename = 't'") == [[2]], "18 keeps statistics"
    assert connection.run("SELECT aurora_volume_logical_start_lsn()") == [["0/1000000"]]
    connection.close()
    server.execute("postgres", "REVOKE rds_replication FROM reader")
    aurora.sync_roles()
    assert server.execute("app", "SELECT rolreplication FROM pg_roles WHERE rolname = 'reader'") == [[False]]

    assert group_status(rds) == "pending-reboot", "RDS does not reboot for the instances' group"
    rds.reboot_db_instance(DBInstanceIdentifier=f"{BLUE}-1")
    eventually(lambda: group_status(rds) == "in-sync")
    assert server.running


def test_what_is_being_upgraded_or_rebooted_takes_no_order(aurora: EmbeddedAurora, rds: Any) -> None:
    backend = aurora._backend
    [cluster], [instance] = backend.describe_db_clusters(BLUE), backend.describe_db_instances(f"{BLUE}-1")
    for status in ("upgrading", "rebooting"):
        cluster.status = instance.status = status
        assert error_of(lambda: rds.delete_db_instance(DBInstanceIdentifier=f"{BLUE}-1")) == "InvalidDBInstanceState"
        assert error_of(lambda: rds.reboot_db_instance(DBInstanceIdentifier=f"{BLUE}-1")) == "InvalidDBInstanceState"
    cluster.status = "upgrading"
    assert error_of(lambda: upgrade(rds)) == "InvalidDBClusterStateFault"
    cluster.status = instance.status = "available"


def test_another_parameter_group_comes_into_effect_by_a_reboot(aurora: EmbeddedAurora, rds: Any) -> None:
    server = aurora.servers[BLUE]
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="other", DBParameterGroupFamily="aurora-postgresql16", Description="-"
    )
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="other",
        Parameters=[{"ParameterName": "max_wal_senders", "ParameterValue": "6", "ApplyMethod": "pending-reboot"}],
    )
    rds.modify_db_cluster(DBClusterIdentifier=BLUE, DBClusterParameterGroupName="other", ApplyImmediately=True)
    [member] = cluster_of(rds, BLUE)["DBClusterMembers"]
    assert member["DBClusterParameterGroupStatus"] == "pending-reboot"
    assert server.execute("app", "SHOW max_wal_senders") == [["20"]]
    rds.reboot_db_instance(DBInstanceIdentifier=f"{BLUE}-1")
    eventually(lambda: cluster_of(rds, BLUE)["DBClusterMembers"][0]["DBClusterParameterGroupStatus"] == "in-sync")
    assert server.execute("app", "SHOW max_wal_senders") == [["6"]]


def test_rds_tells_versions_targets_and_parameters_as_they_are_here(rds: Any) -> None:
    here = rds_engines.versions()
    [described] = rds.describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion=here[16])[
        "DBEngineVersions"
    ]
    assert described["DBParameterGroupFamily"] == "aurora-postgresql16"
    targets = {each["EngineVersion"]: each["IsMajorVersionUpgrade"] for each in described["ValidUpgradeTarget"]}
    assert targets == {here[18]: True}
    assert len(rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]) == len(here)
    for describe in (rds.describe_engine_default_cluster_parameters, rds.describe_engine_default_parameters):
        known = {
            family: {each["ParameterName"]: each for each in _defaults(describe, family)}
            for family in ("aurora-postgresql16", "aurora-postgresql18")
        }
        assert "db_user_namespace" in known["aurora-postgresql16"]
        assert "db_user_namespace" not in known["aurora-postgresql18"]
        of_18 = known["aurora-postgresql18"]
        assert (of_18["max_connections"]["ApplyType"], of_18["work_mem"]["ApplyType"]) == ("static", "dynamic")
        assert of_18["rds.logical_replication"]["IsModifiable"]
        assert not of_18["wal_level"]["IsModifiable"]


def _defaults(describe: Any, family: str) -> list[dict[str, Any]]:
    return list(describe(DBParameterGroupFamily=family)["EngineDefaults"]["Parameters"])
