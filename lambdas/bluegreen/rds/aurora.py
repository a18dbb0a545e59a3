"""Amazon RDS: which cluster is blue, and whether green is as blue is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..errors import BlueNotFound, GreenFailed, GreenNotReady
from ..model import Cluster, Plan
from . import mirror, mirroring
from .sides import Rds

Description = mirror.Description

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


def make_instances(rds: Rds, plan: Plan, source: str, group: str = "") -> None:
    """Makes the instances of an available cluster of green's after those of a cluster of blue's in the same Region.

    With ``group`` they get that parameter group, and not blue's.
    """
    existing = {instance["DBInstanceIdentifier"] for instance in describe_instances(rds.green, plan.green_identifier)}
    for number, template in enumerate(describe_instances(rds.blue, source), start=1):
        request = mirroring.instance_request(template, plan, number)
        request |= {"DBParameterGroupName": group} if group else {}
        if request["DBInstanceIdentifier"] not in existing:
            with suppress(rds.green.exceptions.DBInstanceAlreadyExistsFault):  # by another attempt, at the same time
                rds.green.create_db_instance(**request)


def require_mirror(rds: Rds, plan: Plan, source: str) -> Description:
    """A cluster of green's once it and its instances are available and as blue's; ``GreenNotReady`` until then.

    What a cluster can be given only when it is available is given here, and looked at the next time.
    """
    made, blue = describe_cluster(rds.green, plan.green_identifier), describe_cluster(rds.blue, source)
    if made is None or blue is None:
        raise GreenFailed(f"The cluster {plan.green_identifier if made is None else source} is gone.")
    require_available("Cluster", plan.green_identifier, made["Status"])
    for instance in describe_instances(rds.green, plan.green_identifier):
        require_available("Instance", instance["DBInstanceIdentifier"], instance["DBInstanceStatus"])
    if given := mirroring.settle(rds.green, plan, blue, made):
        raise GreenNotReady(f"{plan.green_identifier} was given {', '.join(given)} of {source} just now.")
    return made


def require_green_ready(rds: Rds, plan: Plan) -> Cluster:
    """Green's endpoint once the cluster and all its instances are available; ``GreenNotReady`` until then."""
    cluster = endpoint(require_mirror(rds, plan, plan.blue.identifier))
    if not describe_instances(rds.green, plan.green_identifier):
        raise GreenFailed(f"The cluster {plan.green_identifier} has no instances.")
    for record in plan.records:
        if record.endpoint == "reader" and cluster.reader_host is None:
            raise GreenFailed(f"{plan.green_identifier} has no reader endpoint for the record {record.name}.")
    return cluster


def require_available(kind: str, identifier: str, status: str) -> None:
    """Raises ``GreenNotReady``, or ``GreenFailed`` when waiting does not help."""
    if status in FAILED_STATUSES:
        raise GreenFailed(f"{kind} {identifier} is {status}: see its events in the RDS console.")
    if status != "available":
        raise GreenNotReady(f"{kind} {identifier} is {status}.")
