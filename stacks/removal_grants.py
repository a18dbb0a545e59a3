"""Grants to take clusters away: a tag has to be on all that is deleted, stopped, or taken out of a global cluster."""

from __future__ import annotations

import json
from dataclasses import asdict

from aws_cdk import aws_lambda as lambda_

from stacks.grants import read_record
from stacks.policies import Shared, Where, allow, arn, elsewhere, everywhere, here
from stacks.rds_grants import (
    MADE,
    RETIRED_TAG,
    find_clusters,
    global_clusters,
    look_at_clusters,
    look_at_global_clusters,
    look_at_secondaries,
    own_clusters,
)

_RETIRED: dict[str, object] = {"Null": {f"aws:ResourceTag/{RETIRED_TAG}": "false"}}
"""What carries the tag, whatever its value; clusters, instances and global clusters know it (Service Authorization
Reference, "Actions, resources, and condition keys for Amazon RDS")."""


def delete_cluster(function: lambda_.Function, shared: Shared) -> None:
    """One with its instances that carries the tag of those that are ended, and is in no global cluster any more."""
    look_at_clusters(function, shared)
    _delete(function, shared, here)


def remove_secondaries(function: lambda_.Function, shared: Shared) -> None:
    """Secondaries that carry that tag leave their global cluster, and are deleted."""
    look_at_secondaries(function, shared)
    _leave_global_cluster(function, shared, elsewhere)
    _delete(function, shared, elsewhere)


def remove_from_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """The same for the cluster itself, at home."""
    find_clusters(function, shared)
    _leave_global_cluster(function, shared, here)


def _delete(function: lambda_.Function, shared: Shared, where: Where) -> None:
    clusters, instances = _both(function, shared, where)
    allow(function, ["rds:DeleteDBCluster", "rds:ModifyDBCluster"], *clusters, conditions=_RETIRED)
    allow(function, ["rds:DeleteDBInstance"], *instances, conditions=_RETIRED)


def _leave_global_cluster(function: lambda_.Function, shared: Shared, where: Where) -> None:
    """Both resources have to be allowed, each by its tag: the global one may have any name."""
    look_at_global_clusters(function, shared)
    clusters, _ = _both(function, shared, where)
    allow(function, ["rds:RemoveFromGlobalCluster"], *clusters, conditions=_RETIRED)
    if clusters:
        allow(function, ["rds:RemoveFromGlobalCluster"], global_clusters(function, "*"), conditions=_RETIRED)


def delete_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """One that is marked; RDS deletes none that has a member."""
    look_at_global_clusters(function, shared)
    actions = ["rds:ModifyGlobalCluster", "rds:DeleteGlobalCluster"]
    allow(function, actions, global_clusters(function, "*"), conditions=_RETIRED)


def take_snapshot(function: lambda_.Function, shared: Shared) -> None:
    """Of a cluster of ours; its own name is that of the cluster with something behind it."""
    look_at_snapshots(function, shared)
    cluster, _ = own_clusters(function, shared)
    snapshot = arn(function, "rds", "cluster-snapshot", shared.config.cluster_pattern)
    allow(function, ["rds:CreateDBClusterSnapshot"], cluster, snapshot)
    allow(function, ["rds:AddTagsToResource"], snapshot, conditions=MADE)


def look_at_snapshots(function: lambda_.Function, shared: Shared) -> None:
    """Whether the final snapshot is there, which is asked for by its own name."""
    snapshot = arn(function, "rds", "cluster-snapshot", shared.config.cluster_pattern)
    allow(function, ["rds:DescribeDBClusterSnapshots"], snapshot)


def retire(function: lambda_.Function, shared: Shared) -> None:
    """Put the tag on, and no other one, without which nothing may be stopped or deleted.

    Names of global clusters follow no pattern: which one may be marked is a matter of code.
    """
    look_at_clusters(function, shared)
    look_at_secondaries(function, shared)
    look_at_global_clusters(function, shared)
    only: dict[str, object] = {"ForAllValues:StringEquals": {"aws:TagKeys": [RETIRED_TAG]}}
    clusters, instances = _both(function, shared, everywhere)
    whole = global_clusters(function, "*")
    allow(function, ["rds:AddTagsToResource"], *clusters, *instances, whole, conditions=only)


def stop_cluster(function: lambda_.Function, shared: Shared) -> None:
    """One that carries the tag of those that are ended."""
    cluster, _ = own_clusters(function, shared)
    allow(function, ["rds:StopDBCluster"], cluster, conditions=_RETIRED)


def start_cluster(function: lambda_.Function, shared: Shared) -> None:
    """Only to delete it afterwards."""
    cluster, _ = own_clusters(function, shared)
    allow(function, ["rds:StartDBCluster"], cluster, conditions=_RETIRED)


def production(function: lambda_.Function, shared: Shared) -> None:
    """Read the records by which applications find their cluster, to keep away from that one."""
    read_record(function, shared)
    function.add_environment("RECORDS", json.dumps([asdict(record) for record in shared.config.records]))


def target(function: lambda_.Function, shared: Shared) -> None:
    """Which clusters may be ended, and where they say whether they were replaced.

    Nothing leads to Route 53 from isolated subnets; what the records say is looked at by the next step then, outside
    of them, when no more than a snapshot was made.
    """
    if shared.config.isolated_subnets:
        function.add_environment("RECORDS", "[]")
    else:
        production(function, shared)
    function.add_environment("CLUSTER_PATTERN", shared.config.cluster_pattern)
    function.add_environment("DATABASES", json.dumps(shared.config.databases))


def _both(function: lambda_.Function, shared: Shared, where: Where) -> tuple[list[str], list[str]]:
    """Clusters, and instances, of ours."""
    pattern = shared.config.cluster_pattern
    return where(function, shared, pattern, "cluster"), where(function, shared, pattern, "db")
