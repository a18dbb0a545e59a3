"""What green's account has to have when that is not blue's: one role, for the functions of the release and nobody else.

Its policy is made of the grants that the functions would have themselves. Subnet group, security groups, keys and the
acceptance of the shared cluster are the account's own affair (docs/accounts.md).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.account_grants import ToGreen, clone_shared, look_at_account, use_keys
from stacks.config import ClusterConfig
from stacks.functions import FUNCTIONS
from stacks.green_account_config import GreenAccountConfig
from stacks.policies import Grant, Shared
from stacks.rds_grants import look_at_clusters, make_groups

ONLY_THERE: tuple[Grant, ...] = (
    look_at_clusters,
    look_at_account,
    clone_shared,
    use_keys,
    make_groups,
)
"""Beside what the functions do to a green in their own account."""


class GreenAccountStack(cdk.Stack):
    """To be deployed in green's account."""

    def __init__(self, scope: Construct, config: ClusterConfig, account: GreenAccountConfig) -> None:
        super().__init__(
            scope,
            f"BlueGreen-{config.name}-green-account",
            env=cdk.Environment(account=account.account_id, region=config.region),
            description=f"The role by which blue/green releases of {config.name} make green in this account",
        )
        role = _AssumedRole(self, "Role", config, account)
        shared = cast(Shared, SimpleNamespace(config=config))  # grants of RDS ask for nothing else
        for grant in grants_there():
            grant(cast(lambda_.Function, role), shared)
        cdk.CfnOutput(self, "RoleArn", value=role.role.role_arn)


def grants_there() -> list[Grant]:
    """All that is done in green's account, each once."""
    to_green = (
        each for row in FUNCTIONS for grant in row.grants if isinstance(grant, ToGreen) for each in grant.grants
    )
    return list(dict.fromkeys([*ONLY_THERE, *to_green]))


class _AssumedRole(Construct):
    """What a grant is given to in the place of a function: it has the same method."""

    def __init__(self, scope: Construct, identifier: str, config: ClusterConfig, account: GreenAccountConfig) -> None:
        super().__init__(scope, identifier)
        conditions: dict[str, object] = {"ArnLike": {"aws:PrincipalArn": _roles_of_functions(self, config, account)}}
        if account.external_id:
            conditions["StringEquals"] = {"sts:ExternalId": account.external_id}
        self.role = iam.Role(
            self,
            "Role",
            role_name=account.role_name,
            description=f"Makes, changes and deletes green clusters of {config.name} for another account's releases",
            assumed_by=iam.PrincipalWithConditions(iam.AccountPrincipal(account.blue_account_id), conditions),
            max_session_duration=cdk.Duration.hours(1),
        )

    def add_to_role_policy(self, statement: iam.PolicyStatement) -> None:
        self.role.add_to_policy(statement)


def _roles_of_functions(scope: Construct, config: ClusterConfig, account: GreenAccountConfig) -> str:
    """CloudFormation names the functions' roles after their stack, of whose name it takes 24 characters at least."""
    partition, name = cdk.Stack.of(scope).partition, f"BlueGreen-{config.name}-"[:24]
    return f"arn:{partition}:iam::{account.blue_account_id}:role/{name}*"
