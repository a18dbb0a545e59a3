"""Production as a global database: a secondary cluster in another Region, as its owners once made it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local.aws.aurora import EmbeddedAurora
from local.aws.seams.rds_records import ENGINE, PRODUCTION_CLUSTER, PRODUCTION_ROLES

GLOBAL_CLUSTER = "shop-global"
MONITORING, S3_IMPORT = PRODUCTION_CLUSTER["monitoring_role_arn"], PRODUCTION_ROLES["s3Import"]


def add_secondary(
    client: Callable[[str, str], Any], aurora: EmbeddedAurora, primary: str, region: str
) -> EmbeddedAurora:
    """RDS of another Region, in which a cluster has a secondary with one instance when this returns.

    client  from a service and a Region to its client
    """
    folder = aurora.folder / region
    folder.mkdir(mode=0o711)
    away = EmbeddedAurora(folder, aurora.port, region, aurora.latency_s)
    try:
        _make(client("rds", aurora.region), client("rds", region), primary, secondary_name(primary, region))
    except BaseException:
        away.close()
        raise
    return away


def secondary_name(primary: str, region: str) -> str:
    """
    >>> secondary_name("shop-blue", "eu-west-1")
    'shop-blue-eu-west-1'
    """
    return f"{primary}-{region}"


def _make(home: Any, away: Any, primary: str, name: str) -> None:
    [blue] = home.describe_db_clusters(DBClusterIdentifier=primary)["DBClusters"]
    home.create_global_cluster(
        GlobalClusterIdentifier=GLOBAL_CLUSTER, SourceDBClusterIdentifier=blue["DBClusterArn"], DeletionProtection=True
    )
    family = f"{ENGINE}{blue['EngineVersion'].split('.')[0]}"
    groups = {"DBParameterGroupFamily": family, "Description": f"for {name}"}
    away.create_db_cluster_parameter_group(DBClusterParameterGroupName=f"{name}-cluster", **groups)
    away.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=f"{name}-cluster",
        Parameters=[
            {"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}
        ],
    )
    away.create_db_parameter_group(DBParameterGroupName=f"{name}-instance", **groups)
    away.modify_db_parameter_group(
        DBParameterGroupName=f"{name}-instance",
        Parameters=[{"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}],
    )
    away.create_db_cluster(
        DBClusterIdentifier=name,
        Engine=ENGINE,
        EngineVersion=blue["EngineVersion"],
        GlobalClusterIdentifier=GLOBAL_CLUSTER,
        DBClusterParameterGroupName=f"{name}-cluster",
        Port=blue["Port"],
        StorageEncrypted=True,
        KmsKeyId="arn:aws:kms:eu-west-1:123456789012:key/storage-away",
        DeletionProtection=True,
        BackupRetentionPeriod=3,
        EnableHttpEndpoint=True,
        MonitoringInterval=60,
        MonitoringRoleArn=MONITORING,
        Tags=[{"Key": "service", "Value": name}],
    )
    _wait(lambda: away.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"])
    away.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=S3_IMPORT, FeatureName="s3Import")
    away.create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        DBInstanceClass="db.r6g.xlarge",
        Engine=ENGINE,
        DBClusterIdentifier=name,
        DBParameterGroupName=f"{name}-instance",
        PromotionTier=2,
        MonitoringInterval=30,
        MonitoringRoleArn=MONITORING,
    )
    _wait(lambda: away.describe_db_instances(DBInstanceIdentifier=f"{name}-1")["DBInstances"][0]["DBInstanceStatus"])


def _wait(status: Callable[[], str]) -> None:
    while (now := status()) != "available":
        if now not in ("creating", "modifying"):
            raise RuntimeError(f"the secondary is {now}")
        time.sleep(0.05)
