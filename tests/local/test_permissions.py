"""The guard in front of the emulator: what IAM would refuse is refused, in the protocol of each service."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local import permissions
from local.aws.emulator import KEPT_IN, Emulator
from local.aws.permissions.calls import UnknownCallError, asked_for
from local.aws.permissions.guard import Call, Caller, Guard, units_of
from local.aws.permissions.policies import Asked, Statement, UnknownConditionError, allowing
from local.permissions import OF_SOURCES, WHOLE_RUN, Matrix
from local.permissions_table import table
from local.sources import fingerprint
from tests import recording
from tests.local.assets import zipped

CLUSTER = "arn:aws:rds:eu-west-2:123456789012:cluster:shop-blue"
MACHINE = "arn:aws:states:eu-west-2:123456789012:stateMachine:releases"


def allow(action: str, resource: str = "*", condition: dict[str, Any] | None = None) -> Statement:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return Statement.of(statement | ({"Condition": condition} if condition else {}))


@pytest.mark.parametrize(
    ("condition", "keys", "holds"),
    [
        ({"Null": {"aws:ResourceTag/made": "false"}}, {"aws:ResourceTag/made": ("x",)}, True),
        ({"Null": {"aws:ResourceTag/made": "false"}}, {}, False),
        ({"StringEquals": {"iam:PassedToService": ["a", "b"]}}, {"iam:PassedToService": ("b",)}, True),
        ({"StringEquals": {"iam:PassedToService": ["a", "b"]}}, {}, False),
        ({"StringNotEquals": {"aws:x": "a"}}, {}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ("a", "c")}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {}, True),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["c"]}}, {"aws:TagKeys": ("a", "c")}, False),
        ({"ForAnyValue:StringLike": {"aws:TagKeys": ["c*"]}}, {"aws:TagKeys": ("a", "cd")}, True),
        ({"StringEqualsIfExists": {"aws:x": "a"}}, {}, True),
    ],
)
def test_conditions_hold_as_in_iam(condition: dict[str, Any], keys: dict[str, tuple[str, ...]], holds: bool) -> None:
    statement = allow("rds:DeleteDBCluster", "*", condition)
    assert (allowing([statement], Asked("rds:DeleteDBCluster", CLUSTER, keys)) is not None) is holds


def test_a_deny_wins_and_an_operator_that_is_not_known_is_an_error() -> None:
    denied = Statement("Deny", ("rds:*",), ("*",))
    assert allowing([allow("rds:DeleteDBCluster"), denied], Asked("rds:DeleteDBCluster", CLUSTER)) is None
    with pytest.raises(UnknownConditionError):
        allowing([allow("rds:*", "*", {"DateLessThan": {"aws:x": "2026"}})], Asked("rds:DeleteDBCluster", CLUSTER))


def test_a_call_asks_for_all_that_it_touches_hands_over_and_tags() -> None:
    parameters = {
        "DBInstanceIdentifier": "shop-1",
        "DBClusterIdentifier": "shop",
        "DBParameterGroupName": "own",
        "MonitoringRoleArn": "arn:aws:iam::1:role/monitoring",
        "Tags": [{"Key": "made", "Value": "x"}],
    }
    asked = asked_for("rds", "CreateDBInstance", parameters, "eu-west-2", "1")
    assert {(each.action, each.resource.split(":", 5)[5]) for each in asked} == {
        ("rds:CreateDBInstance", "db:shop-1"),
        ("rds:CreateDBInstance", "cluster:shop"),
        ("rds:CreateDBInstance", "pg:own"),
        ("rds:AddTagsToResource", "db:shop-1"),
        ("iam:PassRole", "role/monitoring"),
    }
    assert asked[0].keys == {"aws:TagKeys": ("made",), "aws:RequestTag/made": ("x",)}


def test_a_call_about_nobody_knows_what_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(UnknownCallError, match="teach"):
        asked_for("kinesis", "PutRecord", {"Data": "x"}, "eu-west-2", "1")


def test_who_is_refused_because_a_tag_is_gone_lacks_no_permission() -> None:
    tags = {"kept": "1"}
    guard = Guard(lambda _: tags)
    statement = {"Action": "rds:DeleteDBCluster", "Resource": CLUSTER, "Effect": "Allow"}
    condition = {"Null": {"aws:ResourceTag/kept": "false"}}
    caller = Caller("Probe", (Statement.of({**statement, "Condition": condition}),))
    assert guard.refusal(caller, [Asked("rds:DeleteDBCluster", CLUSTER)]) is None
    tags.clear()
    assert guard.refusal(caller, [Asked("rds:DeleteDBCluster", CLUSTER)])
    assert guard.refused() == []
    assert guard.refusal(caller, [Asked("rds:DeleteDBCluster", f"{CLUSTER}-2")]), "which never had it"
    assert len(guard.refused()) == 1


def test_the_matrix_says_what_is_missing_and_what_nobody_needed(tmp_path: Path) -> None:
    guard = Guard(lambda _: {})
    caller = Caller("Probe", (allow("rds:StartDBCluster", CLUSTER), allow("rds:StopDBCluster", CLUSTER)))
    assert guard.refusal(caller, [Asked("rds:StartDBCluster", CLUSTER)]) is None
    assert "rds:DeleteDBCluster" in str(guard.refusal(caller, [Asked("rds:DeleteDBCluster", CLUSTER)]))
    guard.save(tmp_path, [caller])
    matrix = Matrix.read(tmp_path)
    assert [call.asked.action for call in matrix.missing()] == ["rds:DeleteDBCluster"]
    assert [unit.statement.actions for unit in matrix.unused()] == [("rds:StopDBCluster",)]
    assert re.search(r"^Probe +2 +2 +0 +1 +1$", table(matrix), re.MULTILINE)
    assert f"MISSING         rds:DeleteDBCluster on {CLUSTER}" in table(matrix)
    assert f"UNUSED          rds:StopDBCluster on {CLUSTER}" in table(matrix)
    assert any("needs no rds:StopDBCluster" in complaint for complaint in matrix.complaints())
    assert len(units_of(caller)) == 2
    (missing,) = guard.refused()
    assert Call.from_json(missing.to_json()) == missing


def test_names_that_a_deployment_makes_unique_are_one_permission(tmp_path: Path) -> None:
    for unique in ("4donjfaf9s22", "nh6ltds508zv"):
        resource = f"arn:aws:s3:::bluegreen-shop-reports65402a0a-{unique}"
        caller = Caller("Probe", (allow("s3:PutObject", f"{resource}/releases/*"),))
        guard = Guard(lambda _: {})
        if unique.startswith("4"):
            assert guard.refusal(caller, [Asked("s3:PutObject", f"{resource}/releases/a")]) is None
        guard.save(tmp_path, [caller])
    matrix = Matrix.read(tmp_path)
    assert len(matrix.units) == 1
    assert matrix.unused() == []


def test_a_record_is_of_the_sources_that_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / OF_SOURCES).write_text("others")
    (tmp_path / "one.jsonl").write_text("")
    made: list[list[str]] = []
    monkeypatch.setattr(permissions, "RECORDS", tmp_path)
    monkeypatch.setattr("local.permissions.subprocess.run", lambda command, **_: made.append(command))
    assert permissions.main() == 1
    assert "is of other sources: making such a run" in capsys.readouterr().out
    assert made[0][-len(WHOLE_RUN) :] == [*WHOLE_RUN]
    (tmp_path / OF_SOURCES).write_text(fingerprint())
    permissions.main()
    assert len(made) == 1
    assert "making such a run" not in capsys.readouterr().out


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_whole_run_fails_at_a_permission_that_nobody_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    monkeypatch.setenv(KEPT_IN, "kept by the run that this test is in")
    monkeypatch.setattr(recording, "RECORDS", tmp_path / "permissions")
    option = SimpleNamespace(keyword="", markexpr="", deselect=None, lf=False)
    run = recording.Recording(cast(pytest.Config, SimpleNamespace(option=option, args=[])))
    folder = Path(os.environ[KEPT_IN])
    Guard(lambda _: {}).save(folder, [Caller("Probe", (allow("rds:StopDBCluster", CLUSTER),))])
    for path in recording.Recording._modules() if is_whole else ["tests/e2e/test_global.py"]:
        run.pytest_runtest_logreport(
            cast(pytest.TestReport, SimpleNamespace(when="call", passed=True, nodeid=f"{path}::test"))
        )
    session: Any = SimpleNamespace(testsfailed=0, exitstatus=pytest.ExitCode.OK)
    run.pytest_sessionfinish(session)
    assert session.exitstatus == (pytest.ExitCode.TESTS_FAILED if is_whole else pytest.ExitCode.OK)
    assert permissions.is_current(tmp_path / "permissions") == is_whole


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """With a function `narrow` that may describe clusters, and read one table."""
    made = Emulator(tmp_path_factory.mktemp("permissions"), "eu-west-2")
    iam = made.client("iam")
    role = iam.create_role(RoleName="narrow", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "Action": "rds:DescribeDBClusters", "Resource": "arn:aws:rds:*:*:cluster:*"},
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:*:*:table/Locks"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="narrow", PolicyName="narrow", PolicyDocument=document)
    made.client("lambda").create_function(
        FunctionName="narrow", Handler="m.h", Role=role, Runtime="python3.13", Code={"ZipFile": zipped({"m.py": ""})}
    )
    yield made
    with pytest.MonkeyPatch.context() as patch:  # what is refused here is meant to be
        patch.delenv(KEPT_IN, raising=False)
        made.close()


def as_narrow(emulator: Emulator, service: str, key: str = "narrow") -> Any:
    return boto3.client(
        service,
        region_name="eu-west-2",
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id=key,
        aws_secret_access_key="any",
    )


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("rds", "describe_db_instances", {}, "AccessDenied"),
        ("dynamodb", "get_item", {"TableName": "Other", "Key": {"id": {"S": "x"}}}, "AccessDeniedException"),
        ("route53", "list_resource_record_sets", {"HostedZoneId": "Z1"}, "AccessDenied"),
        ("s3", "get_object", {"Bucket": "scripts", "Key": "a"}, "AccessDenied"),
        ("ec2", "describe_security_group_rules", {}, "UnauthorizedOperation"),
        ("lambda", "invoke", {"FunctionName": "narrow"}, "AccessDeniedException"),
        ("secretsmanager", "get_secret_value", {"SecretId": "password"}, "AccessDeniedException"),
        ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE}, "AccessDeniedException"),
        ("secretsmanager", "create_secret", {"Name": "x" * 513}, "ValidationException"),
    ],
)
def test_what_a_role_does_not_allow_is_refused_as_aws_does(
    emulator: Emulator, service: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(as_narrow(emulator, service), operation)(**parameters)
    assert error.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("rds", "describe_db_clusters", {}, "InvalidClientTokenId"),
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
        ("route53", "list_resource_record_sets", {"HostedZoneId": "Z1"}, "InvalidClientTokenId"),
        ("dynamodb", "list_tables", {}, "UnrecognizedClientException"),
        ("lambda", "list_functions", {}, "UnrecognizedClientException"),
        ("s3", "list_buckets", {}, "InvalidAccessKeyId"),
        ("ec2", "describe_vpcs", {}, "AuthFailure"),
    ],
)
def test_a_key_that_is_nobodys_is_refused_as_aws_does(
    emulator: Emulator, service: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(as_narrow(emulator, service, "any"), operation)(**parameters)
    assert error.value.response["Error"]["Code"] == code


def test_a_request_that_nobody_signed_is_refused(emulator: Emulator) -> None:
    unsigned = Config(signature_version=UNSIGNED)
    client = boto3.client("rds", region_name="eu-west-2", endpoint_url=emulator.endpoint_url, config=unsigned)
    with pytest.raises(ClientError) as error:
        client.describe_db_clusters()
    assert error.value.response["Error"]["Code"] == "MissingAuthenticationToken"


def test_a_function_whose_role_is_not_there_may_do_nothing(emulator: Emulator) -> None:
    iam = emulator.client("iam")
    role = iam.create_role(RoleName="gone", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    emulator.client("lambda").create_function(
        FunctionName="roleless", Handler="m.h", Role=role, Runtime="python3.13", Code={"ZipFile": zipped({"m.py": ""})}
    )
    iam.delete_role(RoleName="gone")
    with pytest.raises(ClientError) as error:
        as_narrow(emulator, "rds", "roleless").describe_db_clusters()
    assert error.value.response["Error"]["Code"] == "AccessDenied"


def test_what_a_role_allows_is_answered_and_an_administrator_may_do_everything(emulator: Emulator) -> None:
    assert as_narrow(emulator, "rds").describe_db_clusters()["DBClusters"] == []
    assert emulator.client("rds").describe_db_instances()["DBInstances"] == []
