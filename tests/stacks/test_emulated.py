"""The template, unchanged, is one that the emulator can deploy."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.seams import resources
from tests.stacks.synthesis import Assembly, states_of

REGION = "eu-west-2"
BUCKET = f"cdk-hnb659fds-assets-123456789012-{REGION}"


@dataclass(frozen=True, slots=True)
class Deployed:
    outputs: dict[str, str]
    resources: list[dict[str, Any]]

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)


@pytest.fixture(scope="module")
def deployed(assembly: Assembly, block: dict[str, Any]) -> Iterator[Deployed]:
    """Deploys into moto, which checks neither permissions nor whether VPC and subnets exist."""
    with mock_aws():
        resources.install()
        group = boto3.client("ec2", region_name=REGION).create_security_group(GroupName="db", Description="Clusters")
        body = json.dumps(assembly.template).replace(block["database_security_group_id"], group["GroupId"])
        boto3.client("ssm", region_name=REGION).put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
        )
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        key = f"{assembly.asset.name.removeprefix('asset.')}.zip"
        s3.put_object(Bucket=BUCKET, Key=key, Body=an_empty_zip())
        cloudformation = boto3.client("cloudformation", region_name=REGION)
        cloudformation.create_stack(StackName="BlueGreen-shop", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        (stack,) = cloudformation.describe_stacks(StackName="BlueGreen-shop")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName="BlueGreen-shop")
        yield Deployed(
            {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
            [summary for page in pages for summary in page["StackResourceSummaries"]],
        )


def an_empty_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handlers/__init__.py", "")
    return buffer.getvalue()


def test_every_resource_of_the_template_is_made(deployed: Deployed, assembly: Assembly) -> None:
    made = {resource["LogicalResourceId"]: resource["ResourceType"] for resource in deployed.resources}
    assert made == {name: each["Type"] for name, each in assembly.template["Resources"].items()}


def test_functions_have_their_settings_filled_in(deployed: Deployed) -> None:
    configuration = deployed.client("lambda").get_function_configuration(FunctionName="bluegreen-shop-MonitorLag")
    variables = configuration["Environment"]["Variables"]
    assert configuration["Handler"] == "handlers.monitor_lag.handler"
    assert configuration["Timeout"] == 30
    assert variables["RELEASE_SECRET_ARN"] == deployed.outputs["ReleaseSecretArn"]
    assert variables["LOCK_TABLE"] == deployed.outputs["LockTableName"]


def test_the_state_machine_calls_the_deployed_functions(deployed: Deployed) -> None:
    machine = deployed.client("stepfunctions").describe_state_machine(
        stateMachineArn=deployed.outputs["StateMachineArn"]
    )
    states = dict(states_of(json.loads(machine["definition"])))
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:bluegreen-shop-FreezeBlue"
    assert states["FreezeBlue"]["Resource"] == arn


def test_the_releases_secret_holds_a_login(deployed: Deployed) -> None:
    value = deployed.client("secretsmanager").get_secret_value(SecretId=deployed.outputs["ReleaseSecretArn"])
    login = json.loads(value["SecretString"])
    assert login["username"] == "bluegreen_release"
    assert len(login["password"]) == 40


def test_the_approver_is_subscribed(deployed: Deployed, block: dict[str, Any]) -> None:
    subscriptions = deployed.client("sns").list_subscriptions()["Subscriptions"]
    by_topic = {subscription["TopicArn"]: [subscription["Endpoint"]] for subscription in subscriptions}
    assert by_topic == {
        deployed.outputs[output]: block["approver_emails"] for output in ("ApprovalTopicArn", "OperationsTopicArn")
    }


def test_the_rules_point_at_their_state_machines(deployed: Deployed) -> None:
    events = deployed.client("events")
    patterns = {rule["Name"]: json.loads(rule.get("EventPattern", "{}")) for rule in events.list_rules()["Rules"]}
    rules = {
        patterns[rule["Name"]]["detail-type"][0]: rule
        for rule in events.list_rules()["Rules"]
        if len(patterns[rule["Name"]].get("detail-type", [])) == 1
    }
    (target,) = events.list_targets_by_rule(Rule=rules["Release Requested"]["Name"])["Targets"]
    assert target["Arn"] == deployed.outputs["StateMachineArn"]
    assert target["InputPath"] == "$.detail"
    for started in ("Decommission Requested", "RDS DB Cluster Event"):
        (target,) = events.list_targets_by_rule(Rule=rules[started]["Name"])["Targets"]
        assert target["Arn"] == deployed.outputs["DecommissionStateMachineArn"]
    died = rules["Step Functions Execution Status Change"]
    (target,) = events.list_targets_by_rule(Rule=died["Name"])["Targets"]
    assert target["Arn"] == deployed.outputs["RecoveryStateMachineArn"]
    watched = json.loads(died["EventPattern"])["detail"]["stateMachineArn"]
    assert watched == [deployed.outputs["StateMachineArn"]]
