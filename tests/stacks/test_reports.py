"""Where reports lie, and what may be done there."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template

from stacks.config import ClusterConfig
from stacks.reports import report_bucket
from tests.stacks.synthesis import Assembly, text


def test_reports_are_encrypted_private_kept_in_versions_and_outlive_the_stack(assembly: Assembly) -> None:
    Template.from_json(assembly.template).has_resource(
        "AWS::S3::Bucket",
        {
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketEncryption": Match.any_value(),
                "VersioningConfiguration": {"Status": "Enabled"},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
            },
        },
    )


def test_nobody_reads_or_writes_reports_without_tls(assembly: Assembly) -> None:
    (policy,) = assembly.of_type("AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", {"AWS": "*"})
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(("days", "expires"), [(0, None), (400, 400)])
def test_reports_go_after_as_many_days_as_are_configured(block: dict[str, Any], days: int, expires: int | None) -> None:
    stack = cdk.Stack(cdk.App())
    report_bucket(stack, ClusterConfig.from_context("shop", {**block, "report_retention_days": days}))
    (bucket,) = Template.from_stack(stack).find_resources("AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule.get("ExpirationInDays"), rule["NoncurrentVersionExpiration"]) == (expires, {"NoncurrentDays": 90})


def test_what_writes_reports_reads_histories_and_samples_and_nothing_else(assembly: Assembly) -> None:
    (bucket,) = assembly.of_type("AWS::S3::Bucket")
    allowed = [
        (action, text(resource))
        for statement in assembly.allowed("WriteReport")
        for action in statement["Action"]
        for resource in statement["Resource"]
        if not action.startswith("xray:")
    ]
    executions = [resource.rsplit(":execution:", 1)[1] for action, resource in allowed if action.startswith("states:")]
    assert set(executions) == {"bluegreen-shop:*", "bluegreen-shop-recovery:*"}
    assert {action for action, _ in allowed} == {"states:GetExecutionHistory", "dynamodb:Query", "s3:PutObject"}
    assert dict(allowed)["s3:PutObject"] == f"<{bucket}>/releases/*"
    assert not [state for state in assembly.functions if state != "WriteReport" and writes(assembly, state)]


def writes(assembly: Assembly, state: str) -> bool:
    return any("s3:PutObject" in statement["Action"] for statement in assembly.allowed(state))


def test_it_knows_how_much_memory_each_function_has(assembly: Assembly) -> None:
    memory_mb = json.loads(assembly.functions["WriteReport"]["Environment"]["Variables"]["FUNCTION_MEMORY_MB"])
    for state, properties in assembly.functions.items():
        assert memory_mb.get(state, memory_mb["default"]) == properties["MemorySize"]
