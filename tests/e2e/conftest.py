"""A world for each module, quick where AWS is slow."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.deploy import records_of
from local.aws.functions import Fault
from local.aws.permissions.calls import asked_for
from local.aws.permissions.guard import Guard
from local.aws.seams.permissions import account_of, caller_of, tags_of
from local.postgres.servers import Server, reader_address
from local.release import Mail, Release
from local.world import RECORD_AWAY, World, world
from tests.waiting import eventually

MACHINE = "bluegreen-shop"
HOOK = "pause-the-shop"
HOOK_ARN = f"arn:aws:lambda:eu-west-2:123456789012:function:{HOOK}"
ORDERS = "orders.jsonl"
HOOK_CODE = """
import json, os

def handler(event, context):
    with open(os.environ["ORDERS"], "a") as orders:
        orders.write(json.dumps(event) + "\\n")
    return {"whatever": "it says"}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    with world(latency_s=0.2, propagation_s=0.2, record_ttl_s=2) as made:
        made.emulator.retry_scale = 0.1
        recover_soon(made)
        yield made


def recover_soon(running: World) -> None:
    """Lets recoveries wait for a second, not for as long as the longest function of a dead execution could run."""
    client = running.emulator.client("lambda")
    name = f"{MACHINE}-InspectRelease"
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    variables |= {"FUNCTIONS_END_AFTER_S": "1", "PLANNING_ENDS_AFTER_S": "1"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def deploy_hook(running: World) -> Path:
    """Deploys a function of the customer beside the application; returns where it writes down each call of it."""
    path = running.folder / ORDERS
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", HOOK_CODE)
    role = running.emulator.client("iam").create_role(RoleName=HOOK, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    running.emulator.client("lambda").create_function(
        FunctionName=HOOK,
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"ORDERS": str(path)}},
    )
    return path


def orders_of(orders: Path, release: Release) -> list[dict[str, Any]]:
    """What the customer's function was asked to do for a release, oldest first."""
    asked = [json.loads(line) for line in orders.read_text().splitlines()] if orders.exists() else []
    return [order for order in asked if order["execution_arn"] == release.execution_arn]


def start(running: World, release_input: Any = None, name: str | None = None) -> Release:
    """Starts a release as the console does."""
    client = running.emulator.client("stepfunctions")
    arn = running.stack.outputs["StateMachineArn"]
    count = len(client.list_executions(stateMachineArn=arn)["executions"])
    return Release.start(client, arn, release_input or {}, running.mail_folder, name or f"release-{count}")


def next_request(release: Release) -> Mail:
    """The request for approval that follows the one that there is: a switchover was called off in between."""
    first = release.approval_request()
    assert first

    def another() -> Mail | None:
        assert release.running, release.failure()
        request = release.approval_request()
        return request if request and request.request != first.request else None

    eventually(another)
    request = another()
    assert request
    return request


def break_function(
    running: World, state: str, fault: Fault, *, error: str = "InjectedError", after_s: float = 0
) -> None:
    """Lets the next call of a state's function go wrong; the call that only warms it is not meant."""
    running.emulator.functions.inject(f"{MACHINE}-{state}", fault, error=error, unless=b'"warm": ', after_s=after_s)


def traces(running: World, server: Server, databases: tuple[str, ...]) -> dict[str, Any]:
    """What a release may leave behind, anywhere; the figures of a rehearsal are meant to stay."""
    locks = running.emulator.client("dynamodb").scan(TableName=running.stack.outputs["LockTableName"])["Items"]
    clusters = running.emulator.client("rds").describe_db_clusters()["DBClusters"]
    secrets = running.emulator.client("secretsmanager").list_secrets()["SecretList"]
    roles = "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
    return traces_away(running) | {
        "slots": server.execute("postgres", "SELECT slot_name FROM pg_replication_slots"),
        "roles": server.execute("postgres", roles),
        "publications": {name: server.execute(name, "SELECT pubname FROM pg_publication") for name in databases},
        "schemas": {name: server.execute(name, "SELECT nspname FROM pg_namespace ORDER BY 1") for name in databases},
        "locks": [item for item in locks if "figures" not in item],
        "clusters": sorted(cluster["DBClusterIdentifier"] for cluster in clusters),
        "tagged": tagged(running.emulator.client("rds")),
        "instances": len(running.emulator.client("rds").describe_db_instances()["DBInstances"]),
        "parameter_groups": groups_of(running.emulator.client("rds")),
        "secrets": sorted(secret["Name"] for secret in secrets),
        "records": records(running),
    }


def traces_away(running: World) -> dict[str, Any]:
    """What it may leave behind of a global database; nothing where there is none."""
    if not running.away:
        return {}
    away = running.emulator.client("rds", running.away.region)
    return {
        "clusters away": sorted(each["DBClusterIdentifier"] for each in away.describe_db_clusters()["DBClusters"]),
        "tagged away": tagged(away),
        "instances away": len(away.describe_db_instances()["DBInstances"]),
        "groups away": groups_of(away),
        "global clusters": {
            each["GlobalClusterIdentifier"]: len(each["GlobalClusterMembers"])
            for each in away.describe_global_clusters()["GlobalClusters"]
        },
    }


def tagged(rds: Any) -> list[str]:
    """What carries the tag by which a release may change and delete it: nothing, unless one is under way."""
    described = [
        *((each["DBClusterArn"], each) for each in rds.describe_db_clusters()["DBClusters"]),
        *((each["DBInstanceArn"], each) for each in rds.describe_db_instances()["DBInstances"]),
        *((each["GlobalClusterArn"], each) for each in rds.describe_global_clusters()["GlobalClusters"]),
    ]
    return sorted(
        arn for arn, each in described if any(tag["Key"] == "bluegreen:release" for tag in each.get("TagList", []))
    )


def may(state: str, operation: str, region: str, **parameters: Any) -> bool:
    """Whether IAM would let a state's function do that at RDS, as everything is now; it is not remembered."""
    caller = caller_of(f"{MACHINE}-{state}")
    assert caller
    return Guard(tags_of).refusal(caller, asked_for("rds", operation, parameters, region, account_of(caller))) is None


def use_default_group(rds: Any, instance: str, family: str) -> None:
    """Gives an instance RDS's own parameter group of a family, which moto has only when it is made."""
    name = f"default.{family}"
    rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="RDS's own")
    rds.modify_db_instance(DBInstanceIdentifier=instance, DBParameterGroupName=name)


def groups_of(rds: Any) -> list[str]:
    """Kind and name of the parameter groups of a Region that are not RDS's own."""
    arns = (
        *(
            each["DBClusterParameterGroupArn"]
            for each in rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
        ),
        *(each["DBParameterGroupArn"] for each in rds.describe_db_parameter_groups()["DBParameterGroups"]),
    )
    return sorted({arn.split(":", 5)[5] for arn in arns if ":default." not in arn})


def records(running: World) -> dict[str, tuple[str, int, list[str]]]:
    """Type, TTL and values of each record that leads to the cluster."""
    route53 = running.emulator.client("route53")
    zones = {record["zone_id"] for record in records_of(running.stack.config)}
    names = {record["name"] for record in records_of(running.stack.config)}
    return {
        name: (each["Type"], each["TTL"], [value["Value"] for value in each["ResourceRecords"]])
        for zone in zones
        for each in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        if (name := each["Name"].rstrip(".")) in names and each["Type"] in ("CNAME", "A")
    }


def records_at(server: Server, ttl_s: int, secondary: Server | None = None) -> dict[str, tuple[str, int, list[str]]]:
    """What `records` says when all of them lead to a server, and to its secondary in another Region if it has one."""
    writer, reader = server.address, reader_address(server.address)
    away = {RECORD_AWAY: ("CNAME", ttl_s, [reader_address(secondary.address)])} if secondary else {}
    return away | {
        "db.shop.internal": ("CNAME", ttl_s, [writer]),
        "db-ro.shop.internal": ("CNAME", ttl_s, [reader]),
        "db.shop.example": ("A", ttl_s, [writer]),
    }


def reports(running: World) -> dict[str, tuple[dict[str, Any], str]]:
    """The document and the page of each execution that has left a report, by its ARN."""
    s3, bucket = running.emulator.client("s3"), running.stack.outputs["ReportBucketName"]

    def text(key: str) -> str:
        return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="releases/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", []) if each["Key"].endswith("/release.json")]
    found = [(json.loads(text(key)), text(key.replace("release.json", "report.html"))) for key in keys]
    return {document["execution_arn"]: (document, page) for document, page in found}


def everything_written(running: World, releases: list[Release]) -> str:
    """All texts in which a secret could have ended up: state data, mails, logs of functions, emulator and servers."""
    texts = [json.dumps(release._history(), default=str) for release in releases]
    texts += [json.dumps(release.describe(), default=str) for release in releases]
    folders = [running.mail_folder, running.emulator.folder / "logs"]
    texts += [path.read_text(errors="replace") for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts += [log.read_text(errors="replace") for log in running.folder.glob("*/server.log")]
    return "\n".join(texts)
