"""Grants to take clusters away: a tag has to be on all that is deleted, stopped, or taken out of a global cluster."""

from __future__ import annotations

import json
from dataclasses import asdict

from aws_cdk import aws_lambda as lambda_

from stacks.grants import read_record
from stacks.policies import Grant, Shared, allow, arn, everywhere
from stacks.rds_grants import (
    MADE,
    RETIRED_TAG,
    global_clusters,
    look_at_clusters,
    look_at_global_clusters,
    own_clusters,
)


def tagged(tag: str) -> dict[str, object]:
    """The condition that a resource carries a tag, whatever its value; clusters, instances and global clusters know it
    (Service Authorization Reference, "Actions, resources, and condition keys for Amazon RDS")."""
    return {"Null": {f"aws:ResourceTag/{tag}": "false"}}


def delete_clusters(tag: str) -> Grant:
    """Clusters and instances that carry a tag, in any Region: secondaries are elsewhere."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        _look(function, shared)
        clusters, instances = _both(function, shared)
        allow(function, ["rds:DeleteDBCluster", "rds:ModifyDBCluster"], *clusters, conditions=tagged(tag))
        allow(function, ["rds:DeleteDBInstance"], *instances, conditions=tagged(tag))

    return grant


def leave_global_cluster(tag: str) -> Grant:
    """Both resources have to be allowed, each by its tag: the global one may have any name."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        _look(function, shared)
        clusters, _ = _both(function, shared)
        allow(function, ["rds:RemoveFromGlobalCluster"], *clusters, conditions=tagged(tag))
        allow(function, ["rds:RemoveFromGlobalCluster"], global_clusters(function, "*"), conditions=tagged(tag))

    return grant


def delete_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """One that is marked; RDS deletes none that has a member."""
    look_at_global_clusters(function, shared)
    actions = ["rds:ModifyGlobalCluster", "rds:DeleteGlobalCluster"]
    allow(function, actions, global_clusters(function, "*"), conditions=tagged(RETIRED_TAG))


def take_snapshot(function: lambda_.Function, shared: Shared) -> None:
    """Of a cluster of ours; its own name is that of the cluster with something behind it."""
    look_at_snapshots(function, shared)
    cluster, _ = own_clusters(function, shared)
    snapshot = arn(function, "rds", "cluster-snapshot", shared.config.cluster_pattern)
    allow(function, ["rds:CreateDBClusterSnapshot"], cluster, snapshot)
    allow(function, ["rds:AddTagsToResource"], snapshot, conditions=MADE)


def look_at_snapshots(function: lambda_.Function, shared: Shared) -> None:
    """Whether the final snapshot is there."""
    cluster, _ = own_clusters(function, shared)
    snapshot = arn(function, "rds", "cluster-snapshot", shared.config.cluster_pattern)
    allow(function, ["rds:DescribeDBClusterSnapshots"], cluster, snapshot)


def retire(function: lambda_.Function, shared: Shared) -> None:
    """Put the tag on, and no other one, without which nothing may be stopped or deleted.

    Names of global clusters follow no pattern: which one may be marked is a matter of code.
    """
    _look(function, shared)
    only: dict[str, object] = {"ForAllValues:StringEquals": {"aws:TagKeys": [RETIRED_TAG]}}
    clusters, instances = _both(function, shared)
    whole = global_clusters(function, "*")
    allow(function, ["rds:AddTagsToResource"], *clusters, *instances, whole, conditions=only)


def stop_cluster(function: lambda_.Function, shared: Shared) -> None:
    """One that carries the tag of those that are ended."""
    cluster, _ = own_clusters(function, shared)
    allow(function, ["rds:StopDBCluster"], cluster, conditions=tagged(RETIRED_TAG))


def start_cluster(function: lambda_.Function, shared: Shared) -> None:
    """Only to delete it afterwards."""
    cluster, _ = own_clusters(function, shared)
    allow(function, ["rds:StartDBCluster"], cluster, conditions=tagged(RETIRED_TAG))


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


def _look(function: lambda_.Function, shared: Shared) -> None:
    look_at_clusters(function, shared)
    look_at_global_clusters(function, shared)


def _both(function: lambda_.Function, shared: Shared) -> tuple[list[str], list[str]]:
    """Clusters, and instances, of ours, in all Regions that are configured."""
    pattern = shared.config.cluster_pattern
    return everywhere(function, shared, pattern, "cluster"), everywhere(function, shared, pattern, "db")
