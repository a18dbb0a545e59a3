"""Grants to look at, make, change and take away clusters: what a release does at RDS."""

from __future__ import annotations

from collections.abc import Iterator

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from stacks.policies import Shared, Where, allow, arn, elsewhere, everywhere, here

RELEASE_TAG = "bluegreen:release"  # as in bluegreen.model
RETIRED_TAG = "bluegreen:retired"  # as in bluegreen.ending.decommission
MADE_BY_TAG = "bluegreen:made-by"  # as in bluegreen.rds.parameter_groups

_OF_A_RELEASE: dict[str, object] = {"Null": {f"aws:ResourceTag/{RELEASE_TAG}": "false"}}
"""What carries the tag."""

MADE: dict[str, object] = {
    "Null": {f"aws:RequestTag/{RELEASE_TAG}": "false"},
    "ForAllValues:StringNotEquals": {"aws:TagKeys": [RETIRED_TAG]},
}
"""What is made, and tagged, with the tag, and without the one that lets a decommission take it away."""


def find_clusters(function: lambda_.Function, shared: Shared) -> None:
    """Blue is found by its endpoint in a list, and RDS has no permission for a part of a list."""
    _find_clusters(function, shared, here)


def find_secondaries(function: lambda_.Function, shared: Shared) -> None:
    """The same in the Regions of blue's secondaries."""
    _find_clusters(function, shared, elsewhere)


def look_at_clusters(function: lambda_.Function, shared: Shared) -> None:
    """Clusters with their instances."""
    _look_at_clusters(function, shared, here)


def look_at_secondaries(function: lambda_.Function, shared: Shared) -> None:
    """The same in the Regions of blue's secondaries."""
    _look_at_clusters(function, shared, elsewhere)


def _find_clusters(function: lambda_.Function, shared: Shared, where: Where) -> None:
    allow(function, ["rds:DescribeDBClusters"], *where(function, shared, "*", "cluster"))


def _look_at_clusters(function: lambda_.Function, shared: Shared, where: Where) -> None:
    _find_clusters(function, shared, where)
    allow(function, ["rds:DescribeDBInstances"], *where(function, shared, "*", "db"))


def look_at_global_clusters(function: lambda_.Function, _shared: Shared) -> None:
    """All, since blue's is found among them; they belong to no Region."""
    allow(function, ["rds:DescribeGlobalClusters"], global_clusters(function, "*"))


def look_for_obstacles(function: lambda_.Function, _shared: Shared) -> None:
    """What RDS is about to do to blue; quotas, classes, and rules of security groups, which know no resource."""
    allow(function, ["rds:DescribeBlueGreenDeployments"], arn(function, "rds", "deployment", "*"))
    clusters = [arn(function, "rds", kind, "*") for kind in ("cluster", "db")]
    allow(function, ["rds:DescribePendingMaintenanceActions"], *clusters)
    known_to_none = ["rds:DescribeAccountAttributes", "rds:DescribeOrderableDBInstanceOptions"]
    allow(function, [*known_to_none, "ec2:DescribeSecurityGroupRules"], "*")


def make_clone(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances, of the groups that blue's are of, whose names follow no pattern."""
    cluster, instance = own_clusters(function, shared)
    groups = {kind: arn(function, "rds", kind, "*") for kind in ("cluster-pg", "pg", "subgrp", "og")}
    allow(function, ["rds:AddTagsToResource"], cluster, instance, conditions=MADE)
    allow(function, ["rds:RestoreDBClusterToPointInTime"], cluster, conditions=MADE)
    allow(function, ["rds:RestoreDBClusterToPointInTime"], groups["cluster-pg"], groups["subgrp"], groups["og"])
    allow(function, ["rds:CreateDBInstance"], instance, conditions=MADE)
    allow(function, ["rds:CreateDBInstance"], cluster, conditions=_OF_A_RELEASE)
    allow(function, ["rds:CreateDBInstance"], groups["pg"], groups["subgrp"])
    _pass_roles(function, shared)


def settle_clone(function: lambda_.Function, shared: Shared) -> None:
    """Give what a release has made those settings of blue's that it could not be made with."""
    _settle(function, shared, here)


def settle_secondary(function: lambda_.Function, shared: Shared) -> None:
    """The same in the Regions of blue's secondaries."""
    _settle(function, shared, elsewhere)


def _settle(function: lambda_.Function, shared: Shared, where: Where) -> None:
    actions = ["rds:ModifyDBCluster", "rds:AddRoleToDBCluster", "rds:EnableHttpEndpoint"]
    clusters = where(function, shared, shared.config.cluster_pattern, "cluster")
    allow(function, actions, *clusters, conditions=_OF_A_RELEASE)
    if clusters:
        _pass_roles(function, shared)


def make_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """Of a clone; it is tagged as that is."""
    whole = global_clusters(function, shared.config.cluster_pattern)
    cluster, _ = own_clusters(function, shared)
    allow(function, ["rds:CreateGlobalCluster"], cluster, conditions=_OF_A_RELEASE)
    allow(function, ["rds:CreateGlobalCluster", "rds:AddTagsToResource"], whole, conditions=MADE)


def make_secondary(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances in the Regions of blue's secondaries, of the groups that those are of."""
    if not shared.config.secondary_regions:
        return
    pattern = shared.config.cluster_pattern
    clusters, instances = (elsewhere(function, shared, pattern, kind) for kind in ("cluster", "db"))
    groups = elsewhere(function, shared, "*", "cluster-pg", "subgrp", "og")
    allow(function, ["rds:AddTagsToResource"], *clusters, *instances, conditions=MADE)
    allow(function, ["rds:CreateDBCluster"], *clusters, conditions=MADE)
    allow(function, ["rds:CreateDBCluster"], *groups, global_clusters(function, pattern))
    allow(function, ["rds:CreateDBInstance"], *instances, conditions=MADE)
    allow(function, ["rds:CreateDBInstance"], *clusters, conditions=_OF_A_RELEASE)
    allow(function, ["rds:CreateDBInstance"], *elsewhere(function, shared, "*", "pg", "subgrp"))
    _pass_roles(function, shared)


def delete_clone(function: lambda_.Function, shared: Shared) -> None:
    """Only what carries the tag that releases put on their clones: a cluster that none has made stays out of reach.

    So does production that was green once: ``untag`` took the tag off it (docs/permissions.md, "Tags").
    """
    pattern = shared.config.cluster_pattern
    clusters, instances = (everywhere(function, shared, pattern, kind) for kind in ("cluster", "db"))
    allow(function, ["rds:DeleteDBCluster", "rds:ModifyDBCluster"], *clusters, conditions=_OF_A_RELEASE)
    allow(function, ["rds:DeleteDBInstance"], *instances, conditions=_OF_A_RELEASE)


def delete_global_clone(function: lambda_.Function, shared: Shared) -> None:
    """Take such a clone out of the global cluster that the release has made for it, and delete that."""
    pattern = shared.config.cluster_pattern
    clusters = everywhere(function, shared, pattern, "cluster")
    allow(function, ["rds:RemoveFromGlobalCluster"], *clusters, conditions=_OF_A_RELEASE)
    actions = ["rds:RemoveFromGlobalCluster", "rds:ModifyGlobalCluster", "rds:DeleteGlobalCluster"]
    allow(function, actions, global_clusters(function, pattern), conditions=_OF_A_RELEASE)


def untag(function: lambda_.Function, shared: Shared) -> None:
    """Take the tag of releases off what carries it, and no other tag; parameter groups get their other one first."""
    pattern = shared.config.cluster_pattern
    groups = _look_at_tags_of_groups(function, shared, everywhere)
    others = everywhere(function, shared, pattern, "cluster", "db")
    allow(function, ["rds:AddTagsToResource"], *groups, conditions=_OF_A_RELEASE | _only(MADE_BY_TAG))
    allow(function, ["rds:RemoveTagsFromResource"], *others, *groups, conditions=_OF_A_RELEASE | _only(RELEASE_TAG))


def untag_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """The same for the global cluster that the release has made."""
    whole = global_clusters(function, shared.config.cluster_pattern)
    allow(function, ["rds:RemoveTagsFromResource"], whole, conditions=_OF_A_RELEASE | _only(RELEASE_TAG))


def _only(tag: str) -> dict[str, object]:
    return {"ForAllValues:StringEquals": {"aws:TagKeys": [tag]}}


def look_at_versions(function: lambda_.Function, _shared: Shared) -> None:
    """Engine versions, which know no resource."""
    allow(function, ["rds:DescribeDBEngineVersions"], "*")


def read_groups(function: lambda_.Function, shared: Shared) -> None:
    """What blue's groups say, of any name, and the parameters of their families, which know no resource."""
    _read_groups(function, shared, here)


def read_groups_elsewhere(function: lambda_.Function, shared: Shared) -> None:
    """The same in the Regions of blue's secondaries."""
    _read_groups(function, shared, elsewhere)


def _read_groups(function: lambda_.Function, shared: Shared, where: Where) -> None:
    of_clusters, of_instances = (where(function, shared, "*", kind) for kind in ("cluster-pg", "pg"))
    allow(function, ["rds:DescribeDBClusterParameterGroups", "rds:DescribeDBClusterParameters"], *of_clusters)
    allow(function, ["rds:DescribeDBParameters"], *of_instances)
    allow(function, ["rds:DescribeEngineDefaultClusterParameters", "rds:DescribeEngineDefaultParameters"], "*")


def find_groups(function: lambda_.Function, shared: Shared) -> None:
    """Whether a group is there, and its family."""
    _find_groups(function, shared, here)


def _find_groups(function: lambda_.Function, shared: Shared, where: Where) -> None:
    allow(function, ["rds:DescribeDBClusterParameterGroups"], *where(function, shared, "*", "cluster-pg"))
    allow(function, ["rds:DescribeDBParameterGroups"], *where(function, shared, "*", "pg"))


def make_groups(function: lambda_.Function, shared: Shared) -> None:
    """Parameter groups that are named as green is. They are looked at before they are touched: by their tags."""
    _make_groups(function, shared, here)


def make_groups_elsewhere(function: lambda_.Function, shared: Shared) -> None:
    """The same in the Regions of blue's secondaries."""
    _make_groups(function, shared, elsewhere)


def _make_groups(function: lambda_.Function, shared: Shared, where: Where) -> None:
    of_clusters, of_instances = _groups(function, shared, where)
    allow(
        function,
        ["rds:AddTagsToResource"],
        *_look_at_tags_of_groups(function, shared, where),
        conditions=MADE,
    )
    allow(function, ["rds:CreateDBClusterParameterGroup"], *of_clusters, conditions=MADE)
    allow(function, ["rds:CreateDBParameterGroup"], *of_instances, conditions=MADE)
    allow(function, ["rds:ModifyDBClusterParameterGroup"], *of_clusters, conditions=_OF_A_RELEASE)
    allow(function, ["rds:ModifyDBParameterGroup"], *of_instances, conditions=_OF_A_RELEASE)


def delete_groups(function: lambda_.Function, shared: Shared) -> None:
    """Only groups that carry the tag of a release, in all Regions."""
    _look_at_tags_of_groups(function, shared, everywhere)
    _delete_groups(function, shared, RELEASE_TAG)


def delete_groups_of_opened(function: lambda_.Function, shared: Shared) -> None:
    """Those of a green that was production, with what ``delete_groups`` allows."""
    _delete_groups(function, shared, MADE_BY_TAG)


def _delete_groups(function: lambda_.Function, shared: Shared, tag: str) -> None:
    of_clusters, of_instances = _groups(function, shared, everywhere)
    carries: dict[str, object] = {"Null": {f"aws:ResourceTag/{tag}": "false"}}
    allow(function, ["rds:DeleteDBClusterParameterGroup"], *of_clusters, conditions=carries)
    allow(function, ["rds:DeleteDBParameterGroup"], *of_instances, conditions=carries)


def _look_at_tags_of_groups(function: lambda_.Function, shared: Shared, where: Where) -> list[str]:
    """The ARNs of groups that are named as green is, which may be found, and their tags read."""
    _find_groups(function, shared, where)
    groups = [group for kind in _groups(function, shared, where) for group in kind]
    allow(function, ["rds:ListTagsForResource"], *groups)
    return groups


def upgrade_clone(function: lambda_.Function, shared: Shared) -> None:
    """Modify what carries the tag of a release; the groups that it may be given are named as green is, or RDS's own of
    instances: blue's cluster group is never that one, for it switches logical replication on."""
    groups = [*_groups(function, shared, here), here(function, shared, "default.*", "pg")]
    allow(function, ["rds:ModifyDBCluster"], own_clusters(function, shared)[0], conditions=_OF_A_RELEASE)
    allow(function, ["rds:ModifyDBCluster"], *(group for kind in groups for group in kind))


def look_at_upgrade(function: lambda_.Function, shared: Shared) -> None:
    """Reboot instances that carry the tag of a release, and read what an upgrade has written."""
    clusters = own_clusters(function, shared)
    allow(function, ["rds:RebootDBInstance"], clusters[1], conditions=_OF_A_RELEASE)
    allow(function, ["rds:DescribeDBLogFiles", "rds:DownloadDBLogFilePortion"], clusters[1])


def own_clusters(function: lambda_.Function, shared: Shared) -> list[str]:
    return [arn(function, "rds", kind, shared.config.cluster_pattern) for kind in ("cluster", "db")]


def global_clusters(function: lambda_.Function, name: str) -> str:
    return arn(function, "rds", "global-cluster", name, region="")


def _pass_roles(function: lambda_.Function, shared: Shared) -> None:
    """Blue's own roles, whose names follow no pattern, to RDS and its monitoring only; or those of green's account."""
    any_role = cdk.Stack.of(function).format_arn(service="iam", region="", resource="role", resource_name="*")
    account = shared.config.green_account
    services = ["rds.amazonaws.com", "monitoring.rds.amazonaws.com"]
    conditions: dict[str, object] = {"StringEquals": {"iam:PassedToService": services}}
    allow(function, ["iam:PassRole"], *(account.passed_roles if account else [any_role]), conditions=conditions)


def _groups(function: lambda_.Function, shared: Shared, where: Where) -> Iterator[list[str]]:
    """Parameter groups of clusters, and of instances, that are named as green is."""
    return (where(function, shared, shared.config.cluster_pattern, kind) for kind in ("cluster-pg", "pg"))
