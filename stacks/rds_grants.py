"""Grants to look at, make, change and take away clusters: what a release does at RDS."""

from __future__ import annotations

from collections.abc import Iterator

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from stacks.policies import Shared, allow, arn, everywhere

RELEASE_TAG = "bluegreen:release"  # as in bluegreen.model

_OF_A_RELEASE: dict[str, object] = {"Null": {f"aws:ResourceTag/{RELEASE_TAG}": "false"}}
"""What carries the tag."""


def look_at_clusters(function: lambda_.Function, shared: Shared) -> None:
    """All of the Regions: blue is found by its endpoint in a list, and RDS has no permission for a part of a list."""
    actions = ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
    allow(function, actions, *everywhere(function, shared, "*", "cluster", "db"))


def look_at_global_clusters(function: lambda_.Function, _shared: Shared) -> None:
    """All, since blue's is found among them; they belong to no Region."""
    allow(function, ["rds:DescribeGlobalClusters"], global_clusters(function, "*"))


def look_for_obstacles(function: lambda_.Function, _shared: Shared) -> None:
    """What RDS is about to do to blue; quotas, classes, and rules of security groups, which know no resource."""
    actions = ["rds:DescribeBlueGreenDeployments", "rds:DescribePendingMaintenanceActions"]
    allow(function, actions, *(arn(function, "rds", kind, "*") for kind in ("cluster", "db", "deployment")))
    known_to_none = ["rds:DescribeAccountAttributes", "rds:DescribeOrderableDBInstanceOptions"]
    allow(function, [*known_to_none, "ec2:DescribeSecurityGroupRules"], "*")


def make_clone(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances, of the groups that blue's are of, whose names follow no pattern."""
    groups = [arn(function, "rds", kind, "*") for kind in ("cluster-pg", "pg", "subgrp", "og")]
    clusters = own_clusters(function, shared)
    allow(function, ["rds:AddTagsToResource"], *clusters)
    allow(function, ["rds:RestoreDBClusterToPointInTime", "rds:CreateDBInstance"], *clusters, *groups)
    _pass_roles(function)


def settle_clone(function: lambda_.Function, shared: Shared) -> None:
    """Give what a release has made those settings of blue's that it could not be made with."""
    actions = ["rds:ModifyDBCluster", "rds:AddRoleToDBCluster", "rds:EnableHttpEndpoint"]
    allow(function, actions, *_regional_clusters(function, shared), conditions=_OF_A_RELEASE)
    _pass_roles(function)


def make_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """Of a clone; it is tagged as that is."""
    whole = global_clusters(function, shared.config.cluster_pattern)
    allow(function, ["rds:CreateGlobalCluster"], *own_clusters(function, shared), whole)
    allow(function, ["rds:AddTagsToResource"], whole)


def make_secondary(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances in the Regions of blue's secondaries, of the groups that those are of."""
    clusters = everywhere(function, shared, shared.config.cluster_pattern, "cluster", "db")
    groups = everywhere(function, shared, "*", "cluster-pg", "pg", "subgrp", "og")
    whole = global_clusters(function, shared.config.cluster_pattern)
    allow(function, ["rds:AddTagsToResource"], *clusters)
    allow(function, ["rds:CreateDBCluster", "rds:CreateDBInstance"], *clusters, *groups, whole)
    _pass_roles(function)


def delete_clone(function: lambda_.Function, shared: Shared) -> None:
    """Only what carries the tag that releases put on their clones: a cluster that none has made stays out of reach."""
    clusters = _regional_clusters(function, shared)
    whole = global_clusters(function, shared.config.cluster_pattern)
    allow(function, ["rds:ListTagsForResource"], *clusters)
    allow(
        function,
        ["rds:DeleteDBInstance", "rds:DeleteDBCluster", "rds:ModifyDBCluster"],
        *clusters,
        conditions=_OF_A_RELEASE,
    )
    # Global clusters know no condition on tags (Service Authorization Reference); the code looks at the tag.
    actions = ["rds:RemoveFromGlobalCluster", "rds:ModifyGlobalCluster", "rds:DeleteGlobalCluster"]
    allow(function, actions, *clusters, conditions=_OF_A_RELEASE)
    allow(function, actions, whole)


def look_at_versions(function: lambda_.Function, shared: Shared) -> None:
    """Engine versions and the parameters of their families, which know no resource; blue's groups, of any name."""
    of_clusters, of_instances = (everywhere(function, shared, "*", kind) for kind in ("cluster-pg", "pg"))
    allow(function, ["rds:DescribeDBClusterParameterGroups", "rds:DescribeDBClusterParameters"], *of_clusters)
    allow(function, ["rds:DescribeDBParameterGroups", "rds:DescribeDBParameters"], *of_instances)
    defaults = ["rds:DescribeEngineDefaultClusterParameters", "rds:DescribeEngineDefaultParameters"]
    allow(function, [*defaults, "rds:DescribeDBEngineVersions"], "*")


def make_groups(function: lambda_.Function, shared: Shared) -> None:
    """Parameter groups that are named as green is. They are looked at before they are touched: by their tags."""
    of_clusters, of_instances = _groups(function, shared)
    allow(function, ["rds:AddTagsToResource", "rds:ListTagsForResource"], *of_clusters, *of_instances)
    allow(function, ["rds:CreateDBClusterParameterGroup", "rds:ModifyDBClusterParameterGroup"], *of_clusters)
    allow(function, ["rds:CreateDBParameterGroup", "rds:ModifyDBParameterGroup"], *of_instances)


def delete_groups(function: lambda_.Function, shared: Shared) -> None:
    """Only groups that carry the tag of a release."""
    of_clusters, of_instances = _groups(function, shared)
    allow(function, ["rds:DescribeDBClusterParameterGroups"], *everywhere(function, shared, "*", "cluster-pg"))
    allow(function, ["rds:DescribeDBParameterGroups"], *everywhere(function, shared, "*", "pg"))
    allow(function, ["rds:ListTagsForResource"], *of_clusters, *of_instances)
    allow(function, ["rds:DeleteDBClusterParameterGroup"], *of_clusters, conditions=_OF_A_RELEASE)
    allow(function, ["rds:DeleteDBParameterGroup"], *of_instances, conditions=_OF_A_RELEASE)


def upgrade_clone(function: lambda_.Function, shared: Shared) -> None:
    """Modify what carries the tag of a release; the groups that it may be given are RDS's own or named as green is."""
    names = (shared.config.cluster_pattern, "default.*")
    groups = [arn(function, "rds", kind, name) for name in names for kind in ("cluster-pg", "pg")]
    allow(function, ["rds:ModifyDBCluster"], *own_clusters(function, shared), conditions=_OF_A_RELEASE)
    allow(function, ["rds:ModifyDBCluster"], *groups)


def look_at_upgrade(function: lambda_.Function, shared: Shared) -> None:
    """Reboot instances that carry the tag of a release, and read what an upgrade has written."""
    clusters = own_clusters(function, shared)
    allow(function, ["rds:RebootDBInstance"], clusters[1], conditions=_OF_A_RELEASE)
    allow(function, ["rds:DescribeDBLogFiles", "rds:DownloadDBLogFilePortion"], clusters[1])


def own_clusters(function: lambda_.Function, shared: Shared) -> list[str]:
    return [arn(function, "rds", kind, shared.config.cluster_pattern) for kind in ("cluster", "db")]


def _regional_clusters(function: lambda_.Function, shared: Shared) -> list[str]:
    return everywhere(function, shared, shared.config.cluster_pattern, "cluster", "db")


def global_clusters(function: lambda_.Function, name: str) -> str:
    return arn(function, "rds", "global-cluster", name, region="")


def _pass_roles(function: lambda_.Function) -> None:
    """Blue's own roles, whose names follow no pattern, to RDS and its monitoring only."""
    roles = cdk.Stack.of(function).format_arn(service="iam", region="", resource="role", resource_name="*")
    services = ["rds.amazonaws.com", "monitoring.rds.amazonaws.com"]
    allow(function, ["iam:PassRole"], roles, conditions={"StringEquals": {"iam:PassedToService": services}})


def _groups(function: lambda_.Function, shared: Shared) -> Iterator[list[str]]:
    """Parameter groups of clusters, and of instances, that are named as green is, in all Regions."""
    return (everywhere(function, shared, shared.config.cluster_pattern, kind) for kind in ("cluster-pg", "pg"))
