"""What the functions may do in the Regions of blue's secondaries, and which of them may do nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from local.aws.permissions.reference import access_level
from stacks import rds_grants, removal_grants
from stacks.account_grants import ToGreen
from stacks.config import ClusterConfig
from stacks.functions import FUNCTIONS, Row
from tests.stacks.synthesis import text

AWAY = "eu-west-1"
CHANGED_THERE = {
    "CreateSecondary": {"cluster", "db", "cluster-pg", "pg", "subgrp", "og"},
    "WaitForSecondary": {"cluster"},
    "UntagGreen": {"cluster", "db", "cluster-pg", "pg"},
    "DeleteGreen": {"cluster", "db", "cluster-pg", "pg"},
    "RetireCluster": {"cluster", "db"},
    "RemoveSecondaries": {"cluster", "db"},
    "DeleteCluster": {"cluster-pg", "pg"},
}
"""The kinds of resources that a function may make, change or delete in another Region."""
LOOKING_THERE = {"PlanRelease", "CheckBlue", "InspectRelease", "PlanDecommission"}
NOT_AT_HOME = {"CreateSecondary", "WaitForSecondary", "RemoveSecondaries"}
"""Those of them that change nothing in the stack's own Region."""


def granted(row: Row, block: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Action, resource and condition of what a function's grants about RDS allow it."""
    config = ClusterConfig.from_context("shop", {**block, "secondary_regions": [AWAY]})
    stack = cdk.Stack(cdk.App(), env=cdk.Environment(region=block["region"], account="123456789012"))
    runtime, code = lambda_.Runtime.PYTHON_3_13, lambda_.Code.from_inline("-")
    function = lambda_.Function(stack, "Function", runtime=runtime, handler="handler", code=code)
    shared: Any = SimpleNamespace(config=config)
    for grant in row.grants:
        if isinstance(grant, ToGreen) or grant.__module__ in (rds_grants.__name__, removal_grants.__name__):
            grant(function, shared)
    for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values():
        for each in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions, resources = (
                found if isinstance(found, list) else [found] for found in map(each.get, ("Action", "Resource"))
            )
            arns = [text(arn).replace("<AWS::Partition>", "aws") for arn in resources]
            yield from ((action, arn, each.get("Condition")) for action in actions for arn in arns)


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.state)
def test_other_regions_are_open_to_functions_that_go_there(row: Row, block: dict[str, Any]) -> None:
    at_home: set[str] = set()
    away: set[str] = set()
    looks = False
    for action, arn, condition in granted(row, block):
        place, kind = arn.split(":")[3:6:2] if arn.startswith("arn:aws:rds:") else ("", "")
        is_change = access_level(action) not in ("List", "Read")
        if place == AWAY:
            looks |= not is_change
            away |= {kind} if is_change else set()
            if kind in ("cluster", "db") and is_change:
                assert arn.endswith(":shop-*"), (action, arn)
                assert condition, (action, arn)
        elif place and is_change:
            at_home.add(kind)
    assert away == CHANGED_THERE.get(row.state, set())
    assert looks == (row.state in {*LOOKING_THERE, *CHANGED_THERE})
    if row.state in NOT_AT_HOME:
        assert at_home == set()
