"""A green in another account: the role there, what may assume it, and what is refused in the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from stacks.account_grants import ToGreen
from stacks.config import ClusterConfig, ConfigError
from stacks.functions import FUNCTIONS, Row
from stacks.green_account import GreenAccountStack
from stacks.network import Network
from tests.stacks.synthesis import ROOT, text

BLUES, GREENS = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{GREENS}:role/bluegreen-shop-green"
KEY = f"arn:aws:kms:eu-west-2:{GREENS}:key/green"
ACCOUNT = {
    "blue_account_id": BLUES,
    "role_arn": ROLE,
    "db_subnet_group": "green-subnets",
    "security_group_ids": ["sg-0f00"],
    "cidr_blocks": ["10.1.0.0/24", "10.1.1.0/24"],
    "kms_key_id": KEY,
    "external_id": "shop-green",
    "associated_roles": [f"s3Import=arn:aws:iam::{GREENS}:role/import"],
}
OF_A_RELEASE = {"Null": {"aws:ResourceTag/bluegreen:release": "false"}}


@pytest.fixture
def config(block: dict[str, Any]) -> ClusterConfig:
    return ClusterConfig.from_context("shop", {**block, "green_account": ACCOUNT})


@pytest.fixture
def template(config: ClusterConfig) -> dict[str, Any]:
    """What is deployed in green's account."""
    assert config.green_account
    app = cdk.App(context={"@aws-cdk/aws-iam:minimizePolicies": True, "@aws-cdk/core:enablePartitionLiterals": True})
    found = Template.from_stack(GreenAccountStack(app, config, config.green_account)).to_json()
    return dict(found)


def of_type(template: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def statements(template: Mapping[str, Any], role: str = "") -> list[tuple[set[str], list[str], Any]]:
    """Actions, resources and conditions of the policies in a template, or of those of one role."""
    return [
        (
            set(_listed(each["Action"])),
            [text(resource) for resource in _listed(each["Resource"])],
            each.get("Condition"),
        )
        for policy in of_type(template, "AWS::IAM::Policy")
        if policy["Roles"][0]["Ref"].startswith(role)
        for each in policy["PolicyDocument"]["Statement"]
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_of(row: Row, config: ClusterConfig) -> list[tuple[set[str], list[str], Any]]:
    """What grants about green give to a function."""
    grants = [grant for grant in row.grants if isinstance(grant, ToGreen)]
    if not grants:
        return []
    stack = cdk.Stack(cdk.App())
    runtime, code = lambda_.Runtime.PYTHON_3_13, lambda_.Code.from_inline("-")
    function = lambda_.Function(stack, "Function", runtime=runtime, handler="handler", code=code)
    shared: Any = SimpleNamespace(config=config)
    for grant in grants:
        grant(function, shared)
    return statements(Template.from_stack(stack).to_json())


def test_the_roles_can_be_assumed_by_the_functions_of_the_release_alone(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    assert {role["RoleName"] for role in roles} == {"bluegreen-shop-green", "bluegreen-shop-green-reader"}
    for role in roles:
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (trust["Action"], text(trust["Principal"]["AWS"])) == ("sts:AssumeRole", f"arn:aws:iam::{BLUES}:root")
        assert trust["Condition"] == {
            "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{BLUES}:role/bluegreen/eu-west-2/shop/*"},
            "StringEquals": {"sts:ExternalId": "shop-green"},
        }


def test_who_looks_at_green_may_change_nothing(template: dict[str, Any]) -> None:
    looking = {action for actions, _, _ in statements(template, "Reader") for action in actions}
    assert {"rds:DescribeDBClusters", "rds:DescribeDBSubnetGroups", "kms:DescribeKey"} <= looking
    assert all(action.split(":")[1].startswith("Describe") for action in looking)


def test_roles_are_passed_to_green_by_their_names(template: dict[str, Any]) -> None:
    passed = [resources for actions, resources, _ in statements(template) if "iam:PassRole" in actions]
    assert passed == [[f"arn:aws:iam::{GREENS}:role/import"]]


def test_the_role_takes_away_and_changes_only_what_a_release_has_made(template: dict[str, Any]) -> None:
    taken = re.compile("rds:(Delete|Stop|Reboot|AddRole|Enable)")
    for actions, resources, condition in statements(template):
        if any(map(taken.match, actions)):
            assert condition == OF_A_RELEASE, actions
            assert all(resource.endswith(":shop-*") for resource in resources)
        if "*" in resources:
            assert all(action.startswith("rds:Describe") for action in actions)
        assert not [action for action in actions if "*" in action]


def test_the_role_clones_clusters_of_blues_account_and_does_nothing_else_there(template: dict[str, Any]) -> None:
    for actions, resources, condition in statements(template):
        if theirs := [resource for resource in resources if f":{BLUES}:" in resource]:
            if actions <= {"rds:DescribeDBClusters", "rds:RestoreDBClusterToPointInTime"}:
                assert {resource.partition(":cluster:")[2] for resource in theirs} == {"shop-*", "cluster-*"}
            else:
                assert all(action.startswith("kms:") for action in actions)
                assert {resource.split(":")[5] for resource in theirs} == {"key/*"}
                assert actions == {"kms:DescribeKey"} or "kms:ViaService" in condition["StringEquals"]


def test_the_policy_fits_into_a_role(template: dict[str, Any]) -> None:
    """10,240 characters for all inline policies of a role (IAM User Guide, "IAM and AWS STS quotas")."""
    for role in ("Role", "Reader"):
        size = sum(
            len(" ".join([*actions, *resources, str(condition)])) + 60
            for actions, resources, condition in statements(template, role)
        )
        assert 0 < size < 9_000


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.state)
def test_a_function_that_acts_on_green_may_assume_the_role_and_nothing_else_for_it(
    row: Row, config: ClusterConfig, block: dict[str, Any]
) -> None:
    source = (ROOT / "lambdas" / "handlers" / f"{row.module}.py").read_text()
    acts = re.search(r"\b(both_rds|greens_rds|in_greens_account)\b", source) is not None
    given = [(actions, resources) for actions, resources, _ in actions_of(row, config)]
    role = f"{ROLE}-reader" if row.state in ("CheckBlue", "InspectRelease") else ROLE
    assert given == ([({"sts:AssumeRole"}, [role])] if acts else []), "with green elsewhere there are no secondaries"
    alike = actions_of(row, ClusterConfig.from_context("shop", block))
    assert not [actions for actions, _, _ in alike if "sts:AssumeRole" in actions]


def test_blue_admits_greens_subnets_and_the_functions_reach_them(config: ClusterConfig) -> None:
    stack = cdk.Stack(cdk.App())
    Network(stack, "Network", config)
    template = Template.from_stack(stack).to_json()
    (functions,) = of_type(template, "AWS::EC2::SecurityGroup")
    assert {rule.get("CidrIp") for rule in functions["SecurityGroupEgress"] if rule["ToPort"] == 5432} - {None} == {
        *ACCOUNT["cidr_blocks"]
    }
    admitted = {rule.get("CidrIp") for rule in of_type(template, "AWS::EC2::SecurityGroupIngress")}
    assert admitted - {None} == {*ACCOUNT["cidr_blocks"]}


def test_the_plan_gets_what_there_is_in_the_account(config: ClusterConfig) -> None:
    assert config.green_account
    assert config.green_account.for_the_plan() == {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in ACCOUNT.items()
        if key not in ("blue_account_id", "associated_roles")
    } | {
        "associated_roles": {"s3Import": f"arn:aws:iam::{GREENS}:role/import"},
        "monitoring_role_arn": "",
        "performance_insights_kms_key_id": "",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role_arn": "bluegreen"}, r"clusters\.shop\.green_account\.role_arn: expected the ARN of a role"),
        ({"blue_account_id": GREENS}, r"green_account\.role_arn: expected a role of another account"),
        ({"cidr_blocks": ["10.1.0.0"]}, r"green_account\.cidr_blocks: expected a list"),
        ({"security_groups": []}, r"green_account\.security_groups: no such setting; did you mean security_group_ids"),
        ({"associated_roles": ["s3Import"]}, r"green_account\.associated_roles: expected a list"),
    ],
)
def test_a_wrong_key_of_the_account_is_named(block: dict[str, Any], change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ClusterConfig.from_context("shop", {**block, "green_account": {**ACCOUNT, **change}})
