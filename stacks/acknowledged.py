"""What cdk-nag's AwsSolutions pack says against the stack and we do all the same, each finding with its reason.

A finding is acknowledged by its exact name, wildcards of resources included, and one about a single resource on that
resource alone: a new one is a new decision. `make templates` runs the pack; that no `*` stands where a resource could
be named is for tests/stacks to check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import aws_cdk as cdk
from constructs import Construct, IConstruct

from stacks.config import ClusterConfig

_ACCOUNT = "<AWS::AccountId>"  # as cdk-nag writes it

_MANAGED = (
    "AWS's own policy for functions in a VPC: Lambda looks for its actions in the role when it makes a function,"
    " and AWS keeps it in step with what Lambda needs."
)
_ANY_NAME = "Looked at before a release knows the names: blue is found by its endpoint, among all clusters."
_OURS = "Names are made at run time by this pattern; what is changed or deleted has to carry the release's tag as well."
_OF_BLUE = "Groups and roles that production has by names of its own, which green is made with; they are not changed."


def acknowledge(stack: cdk.Stack, config: ClusterConfig) -> None:
    """Tells the CDK, whose report names the reason in the place of the finding."""
    findings = (*_of_every_function(), *_wildcards(config))
    rules = [cdk.Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason) for finding, reason in findings]
    cdk.Validations.of(stack).acknowledge(*rules)
    for path, finding, reason in _of_one_resource(config):
        resource = _find(stack, path)
        cdk.Validations.of(resource).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason))


def _find(stack: cdk.Stack, path: str) -> Construct:
    found: IConstruct = stack
    for name in path.split("/"):
        found = found.node.find_child(name)
    return cast(Construct, found)


def _of_one_resource(config: ClusterConfig) -> Iterator[tuple[str, str, str]]:
    """The construct, the finding and the reason. One that is not there stops the synthesis."""
    yield (
        "Reports",
        "S1",
        "Who reads reports is in CloudTrail's data events, if somebody wants to know; one function writes.",
    )
    yield "UndeliveredEvents", "SQS3", "It is the dead-letter queue of the rules, with an alarm."
    yield (
        "ApprovalKey",
        "SMG4",
        "Whoever wants another key puts it in: links live for hours, and through one change of it.",
    )
    if config.database_auth == "password":
        said = "The release's role is made by an administrator, who changes its password in both places."
        yield "ReleaseRole", "SMG4", said
    if not config.approval_jwt_issuer:
        said = "The signed link that expires is the authorization; an issuer of tokens can be demanded besides."
        for method in ("GET", "POST"):
            yield f"ApprovalApi/Api/{method}--{{release_id}}", "APIG4", said


def _of_every_function() -> Iterator[tuple[str, str]]:
    for name in ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"):
        yield f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{name}]", _MANAGED
    yield "IAM5[Resource::*]", "Actions that know no resource: a test looks in the Service Authorization Reference."
    yield "L1", "The functions' packages are compiled and tested for this runtime; a newer one is a change of its own."


def _wildcards(config: ClusterConfig) -> Iterator[tuple[str, str]]:
    for resource, reason in _resources(config):
        yield f"IAM5[Resource::{resource}]", reason


def _resources(config: ClusterConfig) -> Iterator[tuple[str, str]]:
    yield f"arn:aws:iam::{_ACCOUNT}:role/*", f"{_OF_BLUE} They can be passed to RDS and its monitoring alone."
    yield f"arn:aws:rds::{_ACCOUNT}:global-cluster:*", _ANY_NAME
    yield f"arn:aws:rds::{_ACCOUNT}:global-cluster:{config.cluster_pattern}", _OURS
    for region in (config.region, *config.secondary_regions):
        rds = f"arn:aws:rds:{region}:{_ACCOUNT}"
        for kind in ("cluster", "db", "deployment"):
            yield f"{rds}:{kind}:*", _ANY_NAME
        for kind in ("cluster-pg", "pg", "subgrp", "og"):
            yield f"{rds}:{kind}:*", _OF_BLUE
        yield f"{rds}:pg:default.*", "RDS's own groups, one for each family of engine versions."
        for kind in ("cluster", "db", "cluster-pg", "pg", "cluster-snapshot"):
            yield f"{rds}:{kind}:{config.cluster_pattern}", _OURS
    yield "arn:aws:route53:::change/*", "Route 53 names a change when it has taken it."
    yield f"arn:aws:s3:::{config.changes_bucket}/*", "The scripts are whatever an input names in the configured bucket."
    secrets = f"arn:aws:secretsmanager:{config.region}:{_ACCOUNT}:secret:bluegreen/{config.name}/replication/*"
    yield secrets, "Each release makes a secret, named after it."
    for machine in ("", "-recovery"):
        executions = f"arn:aws:states:{config.region}:{_ACCOUNT}:execution:bluegreen-{config.name}{machine}:*"
        yield executions, "Executions are named when they start."
    yield "<Reports65402A0A.Arn>/releases/*", "Each release has a folder of its own, named after it."
