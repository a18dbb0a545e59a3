"""A whole release into another account: the deployed functions assume the role there, before real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.iam.models import iam_backends
from moto.kms.responses import KmsResponse

from local.aws.deploy import synthesize
from local.aws.seams import rds
from local.aws.seams.patching import Seams
from local.aws.seams.rds_shared import SharedClusters
from local.world import World, world
from tests.e2e.conftest import records, records_at, recover_soon, start, tagged, traces
from tests.local.aws import ANYTHING
from tests.waiting import eventually

DATABASES = ("app",)
OTHER = "210987654321"
ADMINISTRATOR = "administrator"
ROLE = f"arn:aws:iam::{OTHER}:role/bluegreen-shop-green"
ACCOUNT = {
    "blue_account_id": "123456789012",
    "role_arn": ROLE,
    "db_subnet_group": "green-subnets",
    "security_group_ids": ["sg-0f00"],
    "cidr_blocks": ["10.1.0.0/24"],
    "kms_key_id": f"arn:aws:kms:eu-west-2:{OTHER}:key/green",
    "monitoring_role_arn": f"arn:aws:iam::{OTHER}:role/monitoring",
    "associated_roles": [f"s3Import=arn:aws:iam::{OTHER}:role/import"],
}


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    overrides = {"green_account": ACCOUNT}
    with world(DATABASES, latency_s=0.2, propagation_s=0.2, record_ttl_s=2, overrides=overrides) as made:
        made.emulator.retry_scale = 0.1
        recover_soon(made)
        yield made


def _deploy_there(running: World) -> None:
    """The application's other stack, by an administrator of that account, whom it has already."""
    iam = iam_backends[OTHER]["aws"]
    iam.create_role(ADMINISTRATOR, "{}", "/", None, "", [], "3600")
    iam.put_role_policy(ADMINISTRATOR, "anything", ANYTHING)
    assembly = synthesize(running.stack.config)
    (stack,) = (each for each in assembly.artifacts("aws:cloudformation:stack") if "green-account" in each["name"])
    _as_administrator(running, "ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    _as_administrator(running, "cloudformation").create_stack(
        StackName=stack["name"],
        TemplateBody=(assembly.folder / stack["templateFile"]).read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


@pytest.fixture(scope="module")
def there(running: World) -> Iterator[Any]:
    """RDS of the other account, with which blue and its key are shared, and which has what green needs."""
    shared = SharedClusters()
    with Seams() as seams:
        shared.install(seams)
        seams.replace(KmsResponse, "describe_key", lambda _: json.dumps({"KeyMetadata": {"KeyId": "any"}}))
        blue = running.emulator.client("rds").describe_db_clusters()["DBClusters"][0]
        shared.share(blue["DBClusterArn"], OTHER)
        backend = rds.install(running.aurora, OTHER)
        _deploy_there(running)
        client = _as_administrator(running, "rds")
        subnets = _as_administrator(running, "ec2").describe_subnets()["Subnets"]
        client.create_db_subnet_group(
            DBSubnetGroupName=ACCOUNT["db_subnet_group"],
            DBSubnetGroupDescription="-",
            SubnetIds=[each["SubnetId"] for each in subnets],
        )
        yield client
        backend.uninstall()


def _as_administrator(running: World, service: str) -> Any:
    sts = running.emulator.client("sts")
    role = f"arn:aws:iam::{OTHER}:role/{ADMINISTRATOR}"
    given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service,
        region_name=running.emulator.region,
        endpoint_url=running.emulator.endpoint_url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_a_release_that_is_stopped_leaves_nothing_in_either_account_and_the_next_makes_green_production(
    running: World, there: Any
) -> None:
    before = traces(running, running.blue, DATABASES)
    release_input: dict[str, Any] = {"accept": ["lost-in-account"]}
    stopped = start(running, release_input | {"parameters": {"work_mem": "5MB"}})
    assert f"in account {OTHER}" in stopped.wait_for_approval_request().body
    assert traces(running, running.blue, DATABASES)["clusters"] == ["shop-blue"], "green is not in blue's account"
    [green] = there.describe_db_clusters()["DBClusters"]
    assert green["DBClusterArn"].split(":")[4] == OTHER
    running.emulator.client("stepfunctions").stop_execution(executionArn=stopped.execution_arn)
    assert stopped.wait()["status"] == "ABORTED"
    eventually(lambda: traces(running, running.blue, DATABASES) == before, timeout_s=60)
    assert there.describe_db_clusters()["DBClusters"] == []
    assert there.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"] == []

    release = start(running, release_input)
    release.wait_for_approval_request()
    release.answer("approve")
    assert release.wait()["status"] == "SUCCEEDED", release.failure()
    [green] = there.describe_db_clusters()["DBClusters"]
    assert tagged(there) == [], "it is production"
    assert records(running) == records_at(running.server(green["DBClusterIdentifier"]), ttl_s=2)
