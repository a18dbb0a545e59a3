"""What is done to green: by the function itself, or by a role of green's account, which the function may assume."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from stacks.policies import Grant, Shared, allow, arn


@dataclass(frozen=True, slots=True)
class ToGreen:
    """Grants of what is done to green. With green in another account the function gets none of them."""

    grants: tuple[Grant, ...]

    def __call__(self, function: lambda_.Function, shared: Shared) -> None:
        if shared.config.green_account:
            assume(function, shared)
        else:
            for grant in self.grants:
                grant(function, shared)


def to_green(*grants: Grant) -> ToGreen:
    return ToGreen(grants)


def if_elsewhere(*grants: Grant) -> Grant:
    """Grants that are needed only with green in another account."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        if shared.config.green_account:
            for each in grants:
                each(function, shared)

    return grant


def assume(function: lambda_.Function, shared: Shared) -> None:
    """The one role of green's account that makes green there, by STS of this Region: older SDKs ask another one."""
    if account := shared.config.green_account:
        allow(function, ["sts:AssumeRole"], account.role_arn)
        function.add_environment("AWS_STS_REGIONAL_ENDPOINTS", "regional")


# Of the role in green's account only


def look_at_account(role: lambda_.Function, _shared: Shared) -> None:
    """Quotas, which know no resource, and the subnet group that green gets."""
    allow(role, ["rds:DescribeAccountAttributes"], "*")
    allow(role, ["rds:DescribeDBSubnetGroups"], arn(role, "rds", "subgrp", "*"))


def clone_shared(role: lambda_.Function, shared: Shared) -> None:
    """Clone a cluster of blue's account, by its name or its resource id; sharing it is that account's decision."""
    names = (shared.config.cluster_pattern, "cluster-*")
    blues = [_of_blues_account(role, shared, "rds", f"cluster:{name}") for name in names]
    allow(role, ["rds:DescribeDBClusters", "rds:RestoreDBClusterToPointInTime"], *blues)


def use_keys(role: lambda_.Function, shared: Shared) -> None:
    """By RDS, blue's key and the one that green gets, as far as the keys' own policies allow it."""
    account = shared.config.green_account
    keys = [
        _of_blues_account(role, shared, "kms", "key/*"),
        *([account.kms_key_id] if account and account.kms_key_id else []),
    ]
    allow(role, ["kms:DescribeKey"], *keys)
    by_rds: dict[str, object] = {
        "StringEquals": {"kms:ViaService": f"rds.{shared.config.region}.{cdk.Stack.of(role).url_suffix}"}
    }
    uses = ["Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]
    allow(role, [f"kms:{use}" for use in uses], *keys, conditions=by_rds)
    allow(role, ["kms:CreateGrant"], *keys, conditions=by_rds | {"Bool": {"kms:GrantIsForAWSResource": "true"}})


def _of_blues_account(role: lambda_.Function, shared: Shared, service: str, resource: str) -> str:
    stack, account = cdk.Stack.of(role), shared.config.green_account
    return f"arn:{stack.partition}:{service}:{stack.region}:{account and account.blue_account_id}:{resource}"
