"""Every statement of every role, against the Service Authorization Reference and the two planes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from local.aws.permissions.reference import access_level, condition_keys, is_of_type, resource_types
from stacks.config import ClusterConfig, ConfigError
from stacks.policies import bound
from tests.stacks.synthesis import Assembly

LOOKING = {
    "CheckBlue": "compares what RDS says of blue with what its databases hold, before anything is made",
    "PlanDecommission": "a cluster's own tables say whether it was replaced, RDS and DNS whether it is in use",
    "InspectRelease": "finds out from RDS and from the databases what a dead release has left",
}
"""Functions with a database's secret that may look at RDS and DNS, and why; none may change anything there."""


NARROWER = {"states:SendTaskSuccess": "AWS names the state machine when it refuses, as docs/beliefs.md says"}
"""Actions of which the reference knows no resource, and that are limited all the same."""


def entries(assembly: Assembly) -> Iterator[tuple[str, str, list[str], frozenset[str]]]:
    """Role, action, resources as IAM will have them, and the condition keys without the names of tags."""
    for role in assembly.of_type("AWS::IAM::Role"):
        for statement in assembly.statements(role):
            resources = [
                each.replace("<AWS::AccountId>", "123456789012").replace("<AWS::Partition>", "aws")
                for each in statement["Resource"]
            ]
            keys = {key.split("/")[0] for pairs in statement.get("Condition", {}).values() for key in pairs}
            for action in statement["Action"]:
                yield role, action, resources, frozenset(keys)


def test_every_action_is_allowed_on_kinds_of_resources_that_it_knows_and_on_everything_where_it_knows_none(
    assembly: Assembly,
) -> None:
    for role, action, resources, _ in entries(assembly):
        types = resource_types(action)
        if not types:
            assert (resources == ["*"]) != (action in NARROWER), (role, action)
        for resource in resources if types else ():
            made_here = resource.startswith("<")  # the kind of what the stack makes is for cfn-lint
            known = any(is_of_type(action.split(":")[0], kind, resource) for kind in types)
            assert resource != "*", (role, action)
            assert made_here or known, (role, action, resource)


def test_every_condition_is_one_that_the_action_or_its_resource_knows(assembly: Assembly) -> None:
    """A key that is not in the request makes Null hold, and others not: the statement would be wrong in silence."""
    for role, action, resources, keys in entries(assembly):
        for resource in resources:
            service = action.split(":")[0]
            kinds = [kind for kind in resource_types(action) if is_of_type(service, kind, resource)]
            known = condition_keys(action).union(*(condition_keys(action, kind) for kind in kinds))
            assert keys <= known, (role, action, resource)


def test_no_function_that_can_sign_in_to_a_database_can_change_anything_at_rds_or_route_53(assembly: Assembly) -> None:
    looking = {}
    for state in assembly.functions:
        actions = {action for statement in assembly.allowed(state) for action in statement["Action"]}
        signs_in = "RELEASE_SECRET_ARN" in assembly.functions[state]["Environment"]["Variables"]
        control = {action for action in actions if action.startswith(("rds:", "route53:"))}
        if signs_in and control:
            looking[state] = control
        read = [s["Resource"] for s in assembly.allowed(state) if "secretsmanager:GetSecretValue" in s["Action"]]
        of_databases = [each for resources in read for each in resources if not each.startswith("<ApprovalKey")]
        assert bool(of_databases) == signs_in, state
    assert looking.keys() == LOOKING.keys()
    for state, control in looking.items():
        assert {access_level(action) for action in control} <= {"List", "Read"}, state


def test_a_configured_boundary_is_set_on_every_role(block: dict[str, Any]) -> None:
    boundary = "arn:aws:iam::123456789012:policy/teams/Boundary"
    stack = cdk.Stack(cdk.App())
    iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    bound(stack, ClusterConfig.from_context("shop", {**block, "permissions_boundary_arn": boundary}))
    template = Template.from_stack(stack)
    template.all_resources_properties("AWS::IAM::Role", {"PermissionsBoundary": boundary})
    with pytest.raises(ConfigError, match="permissions_boundary_arn"):
        ClusterConfig.from_context("shop", {**block, "permissions_boundary_arn": "Boundary"})
