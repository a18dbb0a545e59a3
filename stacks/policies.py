"""What every grant is made of: what functions share, names, ARNs, and a statement in a function's policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

from stacks.config import ClusterConfig

RELEASE_ROLE = "bluegreen_release"
"""The role in PostgreSQL that makes releases."""


@dataclass(frozen=True, slots=True)
class ApprovalDesk:
    """Where people are asked, and answer: the topic, the table of requests, the key of links, the page's address."""

    topic: sns.ITopic
    table: dynamodb.ITable
    key: secretsmanager.ISecret
    page_url: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What the functions of one stack share."""

    config: ClusterConfig
    release_secret: secretsmanager.ISecret | None
    """None where the release's role signs in by tokens."""
    lock_table: dynamodb.ITable
    release_table: dynamodb.ITable
    parser: lambda_.ILayerVersion
    sample_table: dynamodb.ITable
    reports: s3.IBucket
    desk: ApprovalDesk


Grant = Callable[[lambda_.Function, Shared], None]


def resource_name(config: ClusterConfig) -> str:
    """The name of the release's state machine, and the beginning of all other names."""
    return f"bluegreen-{config.name}"


def function_name(config: ClusterConfig, state: str) -> str:
    return f"{resource_name(config)}-{state}"


def role_path(config: ClusterConfig) -> str:
    """The path of the functions' roles: who is let in elsewhere is told by it, for their names are made at deployment.

    aws:PrincipalArn holds the path of a role (IAM User Guide, "AWS global condition context keys").
    """
    return f"/bluegreen/{config.region}/{config.name}/"


def monitor_rule_name(config: ClusterConfig) -> str:
    return f"{resource_name(config)}-monitor"


def allow(
    function: lambda_.Function, actions: list[str], *resources: str, conditions: dict[str, object] | None = None
) -> None:
    """One statement; none without a resource, as where there are no other Regions."""
    if resources:
        statement = iam.PolicyStatement(actions=actions, resources=list(resources), conditions=conditions)
        function.add_to_role_policy(statement)


def bound(stack: cdk.Stack, config: ClusterConfig) -> None:
    """Sets the configured permissions boundary on every role of the stack, those made later included."""
    if config.permissions_boundary_arn:
        policy = iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", config.permissions_boundary_arn)
        iam.PermissionsBoundary.of(stack).apply(policy)


def here(function: lambda_.Function, _shared: Shared, name: str, *kinds: str) -> list[str]:
    """ARNs in the stack's Region."""
    return [arn(function, "rds", kind, name) for kind in kinds]


def elsewhere(function: lambda_.Function, shared: Shared, name: str, *kinds: str) -> list[str]:
    """ARNs in the Regions of blue's secondaries alone."""
    regions = shared.config.secondary_regions
    return [arn(function, "rds", kind, name, region) for region in regions for kind in kinds]


def everywhere(function: lambda_.Function, shared: Shared, name: str, *kinds: str) -> list[str]:
    """ARNs in the stack's Region and in those of blue's secondaries."""
    return [*here(function, shared, name, *kinds), *elsewhere(function, shared, name, *kinds)]


Where = Callable[..., list[str]]
"""``here``, ``elsewhere`` or ``everywhere``: in which Regions a function acts, and is allowed to."""


def arn(function: lambda_.Function, service: str, resource: str, name: str, region: str | None = None) -> str:
    return cdk.Stack.of(function).format_arn(
        service=service,
        region=region,
        resource=resource,
        resource_name=name,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def global_arn(function: lambda_.Function, service: str, resource: str, name: str) -> str:
    return cdk.Stack.of(function).format_arn(
        service=service, region="", account="", resource=resource, resource_name=name
    )
