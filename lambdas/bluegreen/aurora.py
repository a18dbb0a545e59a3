"""Amazon RDS: which cluster is blue, and its clone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from .errors import BlueNotFound, GreenFailed, GreenNotReady
from .model import RELEASE_TAG, Cluster, Plan

Description = dict[str, Any]
"""A cluster or an instance as DescribeDBClusters or DescribeDBInstances returns it."""

FAILED_STATUSES = frozenset(
    {
        "cloning-failed",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
        "storage-full",
    }
)
"""Statuses that waiting does not cure (Aurora User Guide, "Viewing DB cluster status" and "… DB instance status")."""


def describe_cluster(rds: Any, identifier: str) -> Description | None:
    """One cluster, or None when there is none of that name."""
    try:
        clusters: list[Description] = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return clusters[0] if clusters else None


def cluster_at(rds: Any, endpoint: str) -> Description:
    """The cluster whose writer endpoint a DNS record names. Raises ``BlueNotFound``."""
    wanted = endpoint.rstrip(".").lower()
    for page in rds.get_paginator("describe_db_clusters").paginate():
        for cluster in page["DBClusters"]:
            if cluster.get("Endpoint", "").lower() == wanted:
                found: Description = cluster
                return found
    raise BlueNotFound(
        f"The writer record points at {wanted}, which is the writer endpoint of no cluster in this Region."
    )


def describe_instances(rds: Any, cluster_identifier: str) -> list[Description]:
    """The instances of a cluster, its writer first."""
    filters = [{"Name": "db-cluster-id", "Values": [cluster_identifier]}]
    pages = rds.get_paginator("describe_db_instances").paginate(Filters=filters)
    instances = [instance for page in pages for instance in page["DBInstances"]]
    cluster = describe_cluster(rds, cluster_identifier) or {}
    writers = {
        member["DBInstanceIdentifier"] for member in cluster.get("DBClusterMembers", []) if member["IsClusterWriter"]
    }
    return sorted(instances, key=lambda instance: instance["DBInstanceIdentifier"] not in writers)


def endpoint(cluster: Description) -> Cluster:
    """Where a described cluster is reached."""
    return Cluster(
        cluster["DBClusterIdentifier"], cluster["Endpoint"], cluster["Port"], cluster.get("ReaderEndpoint") or None
    )


def clone_parameters(blue: Description, plan: Plan) -> dict[str, Any]:
    """The request that clones blue. What RDS would otherwise set to a default is passed as blue has it."""
    parameters = {
        "DBClusterIdentifier": plan.green_identifier,
        "SourceDBClusterIdentifier": blue["DBClusterIdentifier"],
        "RestoreType": "copy-on-write",
        "UseLatestRestorableTime": True,
        "Port": blue["Port"],
        "DBClusterParameterGroupName": blue["DBClusterParameterGroup"],
        "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in blue.get("VpcSecurityGroups", [])],
        "DBSubnetGroupName": blue.get("DBSubnetGroup"),
        "EnableIAMDatabaseAuthentication": blue.get("IAMDatabaseAuthenticationEnabled"),
        "EnableCloudwatchLogsExports": blue.get("EnabledCloudwatchLogsExports"),
        "DeletionProtection": blue.get("DeletionProtection"),
        "CopyTagsToSnapshot": blue.get("CopyTagsToSnapshot"),
        "StorageType": blue.get("StorageType"),
        "ServerlessV2ScalingConfiguration": {
            key: blue["ServerlessV2ScalingConfiguration"][key]
            for key in ("MinCapacity", "MaxCapacity", "SecondsUntilAutoPause")
            if key in blue.get("ServerlessV2ScalingConfiguration", {})
        },
        "Tags": _tags(blue, plan),
    }
    return {name: value for name, value in parameters.items() if value not in (None, [], {}, "")}


def instance_parameters(template: Description, plan: Plan, number: int) -> dict[str, Any]:
    """The request that makes green's ``number``-th instance after one of blue's."""
    parameters = {
        "DBInstanceIdentifier": f"{plan.green_identifier}-{number}",
        "DBClusterIdentifier": plan.green_identifier,
        "DBInstanceClass": template["DBInstanceClass"],
        "Engine": template["Engine"],
        "DBParameterGroupName": next(
            (group["DBParameterGroupName"] for group in template.get("DBParameterGroups", [])), None
        ),
        "PromotionTier": template.get("PromotionTier"),
        "Tags": _tags(template, plan),
    }
    return {name: value for name, value in parameters.items() if value is not None}


def _tags(source: Description, plan: Plan) -> list[dict[str, str]]:
    kept = [tag for tag in source.get("TagList", []) if not tag["Key"].startswith(("aws:", "rds:", "bluegreen:"))]
    return [*kept, {"Key": RELEASE_TAG, "Value": plan.release_id}]


def clone_blue(rds: Any, plan: Plan) -> Cluster:
    """Clones blue, then makes green's instances after blue's, which a clone does not bring.

    Asked again until the clone can take instances: raises ``GreenNotReady`` before that.
    """
    blue = describe_cluster(rds, plan.blue.identifier)
    if blue is None:
        raise BlueNotFound(f"There is no cluster {plan.blue.identifier}.")
    green = describe_cluster(rds, plan.green_identifier)
    if green is None:
        try:
            green = rds.restore_db_cluster_to_point_in_time(**clone_parameters(blue, plan))["DBCluster"]
        except rds.exceptions.DBClusterAlreadyExistsFault:  # by another attempt, at the same time
            raise GreenNotReady(f"The cluster {plan.green_identifier} was made just now.") from None
    _require_available("Cluster", plan.green_identifier, green["Status"])
    existing = {instance["DBInstanceIdentifier"] for instance in describe_instances(rds, plan.green_identifier)}
    for number, template in enumerate(describe_instances(rds, plan.blue.identifier), start=1):
        parameters = instance_parameters(template, plan, number)
        if parameters["DBInstanceIdentifier"] not in existing:
            with suppress(rds.exceptions.DBInstanceAlreadyExistsFault):  # by another attempt, at the same time
                rds.create_db_instance(**parameters)
    return endpoint(green)


def require_green_ready(rds: Any, plan: Plan) -> Cluster:
    """Green's endpoint once the cluster and all its instances are available; ``GreenNotReady`` until then."""
    green = describe_cluster(rds, plan.green_identifier)
    if green is None:
        raise GreenFailed(f"The cluster {plan.green_identifier} is gone.")
    _require_available("Cluster", plan.green_identifier, green["Status"])
    instances = describe_instances(rds, plan.green_identifier)
    if not instances:
        raise GreenFailed(f"The cluster {plan.green_identifier} has no instances.")
    for instance in instances:
        _require_available("Instance", instance["DBInstanceIdentifier"], instance["DBInstanceStatus"])
    cluster = endpoint(green)
    for record in plan.records:
        if record.endpoint == "reader" and cluster.reader_host is None:
            raise GreenFailed(f"{plan.green_identifier} has no reader endpoint for the record {record.name}.")
    return cluster


def _require_available(kind: str, identifier: str, status: str) -> None:
    if status in FAILED_STATUSES:
        raise GreenFailed(f"{kind} {identifier} is {status}: see its events in the RDS console.")
    if status != "available":
        raise GreenNotReady(f"{kind} {identifier} is {status}.")
