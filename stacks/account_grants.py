"""What is done to green: by the function itself, or by a role of green's account, which the function may assume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from stacks.policies import Grant, Shared, allow, arn

Role = Literal["changes green", "looks at green", "none"]
"""Which of the roles in green's account."""


@dataclass(frozen=True, slots=True)
class ToGreen:
    """Grants of what is done to green. With green in another account the function gets none of them: it may assume the
    role there that has them."""

    grants: tuple[Grant, ...]
    by: Role

    def __call__(self, function: lambda_.Function, shared: Shared) -> None:
        if account := shared.config.green_account:
            if self.by != "none":
                _assume(function, account.reader_role_arn if self.by == "looks at green" else account.role_arn)
        else:
            for grant in self.grants:
                grant(function, shared)


def to_green(*grants: Grant) -> ToGreen:
    return ToGreen(grants, "changes green")


def to_look_at_green(*grants: Grant) -> ToGreen:
    return ToGreen(grants, "looks at green")


def to_greens_secondaries(*grants: Grant) -> ToGreen:
    """A green in another account has none."""
    return ToGreen(grants, "none")


def if_elsewhere(*grants: Grant) -> Grant:
    """Grants that are needed only with green in another account."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        if shared.config.green_account:
            for each in grants:
                each(function, shared)

    return grant


def _assume(function: lambda_.Function, role_arn: str) -> None:
    """One role of green's account, which the function is told, by STS of this Region: older SDKs ask another one."""
    allow(function, ["sts:AssumeRole"], role_arn)
    function.add_environment("GREEN_ROLE_ARN", role_arn)
    function.add_environment("AWS_STS_REGIONAL_ENDPOINTS", "regional")


# Of the roles in green's account only


def look_at_account(role: lambda_.Function, _shared: Shared) -> None:
    """Quotas, which know no resource, and the subnet group that green gets."""
    allow(role, ["rds:DescribeAccountAttributes"], "*")
    allow(role, ["rds:DescribeDBSubnetGroups"], arn(role, "rds", "subgrp", "*"))


def look_at_shared(role: lambda_.Function, shared: Shared) -> None:
    """Whether blue is shared, and its key and green's can be used."""
    allow(role, ["rds:DescribeDBClusters"], *_blues(role, shared))
    allow(role, ["kms:DescribeKey"], *_keys(role, shared))


def clone_shared(role: lambda_.Function, shared: Shared) -> None:
    """Clone a cluster of blue's account, by its name or its resource id; sharing it is that account's decision."""
    allow(role, ["rds:DescribeDBClusters", "rds:RestoreDBClusterToPointInTime"], *_blues(role, shared))


def use_keys(role: lambda_.Function, shared: Shared) -> None:
    """By RDS, blue's key and the one that green gets, as far as the keys' own policies allow it."""
    keys = _keys(role, shared)
    allow(role, ["kms:DescribeKey"], *keys)
    by_rds: dict[str, object] = {
        "StringEquals": {"kms:ViaService": f"rds.{shared.config.region}.{cdk.Stack.of(role).url_suffix}"}
    }
    uses = ["Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]
    allow(role, [f"kms:{use}" for use in uses], *keys, conditions=by_rds)
    allow(role, ["kms:CreateGrant"], *keys, conditions=by_rds | {"Bool": {"kms:GrantIsForAWSResource": "true"}})


def _blues(role: lambda_.Function, shared: Shared) -> list[str]:
    names = (shared.config.cluster_pattern, "cluster-*")
    return [_of_blues_account(role, shared, "rds", f"cluster:{name}") for name in names]


def _keys(role: lambda_.Function, shared: Shared) -> list[str]:
    account = shared.config.green_account
    greens = [account.kms_key_id] if account and account.kms_key_id else []
    return [_of_blues_account(role, shared, "kms", "key/*"), *greens]


def _of_blues_account(role: lambda_.Function, shared: Shared, service: str, resource: str) -> str:
    stack, account = cdk.Stack.of(role), shared.config.green_account
    return f"arn:{stack.partition}:{service}:{stack.region}:{account and account.blue_account_id}:{resource}"
