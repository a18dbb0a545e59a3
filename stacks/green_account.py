"""What green's account has to have when that is not blue's: two roles, for the functions of the release alone.

Their policies are made of the grants that the functions would have themselves. Subnet group, security groups, keys and
the acceptance of the shared cluster are the account's own affair (docs/accounts.md).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.account_grants import Role, ToGreen, clone_shared, look_at_account, look_at_shared, use_keys
from stacks.config import ClusterConfig
from stacks.functions import FUNCTIONS
from stacks.green_account_config import GreenAccountConfig
from stacks.policies import Grant, Shared, role_path
from stacks.rds_grants import find_clusters, look_at_clusters, make_groups

ONLY_THERE: dict[Role, tuple[Grant, ...]] = {
    "changes green": (look_at_clusters, clone_shared, use_keys, make_groups),
    "looks at green": (find_clusters, look_at_account, look_at_shared),
}
"""Beside what the functions do to a green in their own account."""


class GreenAccountStack(cdk.Stack):
    """To be deployed in green's account."""

    def __init__(self, scope: Construct, config: ClusterConfig, account: GreenAccountConfig) -> None:
        super().__init__(
            scope,
            f"BlueGreen-{config.name}-green-account",
            env=cdk.Environment(account=account.account_id, region=config.region),
            description=f"The roles by which blue/green releases of {config.name} make green in this account",
        )
        makes = f"Makes, changes and deletes green clusters of {config.name} for another account's releases"
        looks = f"Looks at green clusters of {config.name} for another account's releases"
        role = _AssumedRole(self, "Role", config, account, account.role_arn, makes)
        reader = _AssumedRole(self, "Reader", config, account, account.reader_role_arn, looks)
        shared = cast(Shared, SimpleNamespace(config=config))  # grants of RDS ask for nothing else
        by: tuple[tuple[_AssumedRole, Role], ...] = ((role, "changes green"), (reader, "looks at green"))
        for assumed, name in by:
            for grant in grants_there(name):
                grant(cast(lambda_.Function, assumed), shared)
        cdk.CfnOutput(self, "RoleArn", value=role.role.role_arn)


def grants_there(role: Role) -> list[Grant]:
    """All that is done by a role in green's account, each once."""
    to_green = (grant for row in FUNCTIONS for grant in row.grants if isinstance(grant, ToGreen) and grant.by == role)
    return list(dict.fromkeys([*ONLY_THERE[role], *(each for grant in to_green for each in grant.grants)]))


class _AssumedRole(Construct):
    """What a grant is given to in the place of a function: it has the same method."""

    def __init__(
        self,
        scope: Construct,
        identifier: str,
        config: ClusterConfig,
        account: GreenAccountConfig,
        role_arn: str,
        description: str,
    ) -> None:
        super().__init__(scope, identifier)
        functions = f"arn:{cdk.Stack.of(self).partition}:iam::{account.blue_account_id}:role{role_path(config)}*"
        conditions: dict[str, object] = {"ArnLike": {"aws:PrincipalArn": functions}}
        if account.external_id:
            conditions["StringEquals"] = {"sts:ExternalId": account.external_id}
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_arn.partition("/")[2],
            description=description,
            assumed_by=iam.PrincipalWithConditions(iam.AccountPrincipal(account.blue_account_id), conditions),
            max_session_duration=cdk.Duration.hours(1),
        )

    def add_to_role_policy(self, statement: iam.PolicyStatement) -> None:
        self.role.add_to_policy(statement)
