"""The application as it is synthesized runs in the emulator; and what goes wrong on the way is said."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws import bootstrap
from local.aws.deploy import Assembly, DeployError, Stack, deploy, synthesize, zip_folder
from local.aws.emulator import Emulator
from tests.local.aws import ROLE
from tests.waiting import eventually


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("deploy"), "eu-west-2")
    yield emulator
    emulator.close()


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return synthesize({"approver_emails": ["lead@example.com"]})


@pytest.fixture(scope="module")
def stack(emulator: Emulator, assembly: Assembly) -> Stack:
    return deploy(emulator, assembly)


def test_a_stack_has_its_outputs_and_configuration(stack: Stack) -> None:
    assert set(stack.outputs) == {
        "StateMachineArn",
        "RecoveryStateMachineArn",
        "DecommissionStateMachineArn",
        "ReleaseTableName",
        "ApprovalTopicArn",
        "ApprovalPageUrl",
        "ApprovalTableName",
        "DecideFunctionName",
        "ReleaseSecretArn",
        "LockTableName",
        "ReportBucketName",
        "SampleTableName",
        "OperationsTopicArn",
        "UndeliveredEventsUrl",
    }
    assert stack.name == "BlueGreen-shop"
    assert stack.config["approver_emails"] == ["lead@example.com"]
    assert stack.config["databases"] == ["app", "crm"]


def test_every_function_imports_from_its_asset_alone(emulator: Emulator, stack: Stack) -> None:
    deployed = emulator.deployed_functions()
    assert len(deployed) > 20
    emulator.functions.prewarm(deployed)
    wrong = {}
    for function in deployed:
        # An event that nothing can be done with: the handler is reached and refuses it.
        answer = emulator.functions.invoke(function, b'{"plan": {"release_id": "none"}}')
        error = json.loads(answer.payload)
        if error.get("statusCode") == 405:  # the page's way to refuse
            continue
        if not answer.is_error or error["errorType"].startswith(("Runtime.", "Sandbox.")):
            wrong[function.name] = error
    assert not wrong


IMPORTED = """
import os, pkgutil, runpy, sys  # runpy loads pkgutil itself
asked = set()
read = type(os.environ).__getitem__
type(os.environ).__getitem__ = lambda environment, name: asked.add(name) or read(environment, name)
sys.path[:0] = sys.argv[1:3]
exec(sys.argv[3])
print(*sorted(sys.modules))
print(*sorted(asked))
"""


def test_what_processes_share_is_what_every_handler_imports_and_knows_no_function(
    emulator: Emulator, stack: Stack
) -> None:
    """Else a template would hide an import that is missing, or a variable that is not passed."""
    functions = emulator.deployed_functions()
    emulator.functions.prewarm(functions[:1])
    (asset,) = (emulator.folder / "assets").iterdir()

    def imported(code: str) -> tuple[set[str], set[str]]:
        folders = [str(asset), str(emulator.folder / "runtime")]
        variables = {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-2", "LAMBDA_TASK_ROOT": str(asset)}
        command = [sys.executable, "-I", "-S", "-c", IMPORTED, *folders, code]
        modules, asked = subprocess.check_output(command, text=True, env=variables).splitlines()
        return set(modules.split()), set(asked.split())

    shared, asked = imported(f"runpy.run_path({bootstrap.__file__!r})['warm']()")
    of_a_handler, _ = imported("import gc, handlers.entry; handlers.entry.client('route53')")
    assert "boto3" in shared
    assert shared <= of_a_handler
    assert not asked & {name for function in functions for name, _ in function.environment}


def test_the_network_and_the_zone_are_those_of_the_configuration(emulator: Emulator, stack: Stack) -> None:
    subnets = emulator.client("ec2").describe_subnets(SubnetIds=stack.config["subnet_ids"])["Subnets"]
    assert {subnet["VpcId"] for subnet in subnets} == {stack.config["vpc_id"]}
    zone = emulator.client("route53").get_hosted_zone(Id=stack.config["hosted_zone_id"])["HostedZone"]
    assert stack.config["writer_record"].endswith(zone["Name"].rstrip("."))
    assert zone["Config"]["PrivateZone"]


def test_the_secret_and_the_subscription_are_made(emulator: Emulator, stack: Stack) -> None:
    value = emulator.client("secretsmanager").get_secret_value(SecretId=stack.outputs["ReleaseSecretArn"])
    assert set(json.loads(value["SecretString"])) == {"username", "password"}
    topic = emulator.client("sns").list_subscriptions_by_topic(TopicArn=stack.outputs["ApprovalTopicArn"])
    assert [each["Endpoint"] for each in topic["Subscriptions"]] == ["lead@example.com"]


def test_a_request_on_the_bus_starts_the_machine(emulator: Emulator, stack: Stack) -> None:
    entry = {
        "Source": stack.config["event_source"],
        "DetailType": "Release Requested",
        "Detail": json.dumps({"cluster": "shop", "nonsense": True}),
    }
    emulator.client("events").put_events(Entries=[entry])
    client = emulator.client("stepfunctions")
    machine = stack.outputs["StateMachineArn"]
    eventually(lambda: client.list_executions(stateMachineArn=machine)["executions"])
    (execution,) = client.list_executions(stateMachineArn=machine)["executions"]
    described = client.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"cluster": "shop", "nonsense": True}
    client.stop_execution(executionArn=execution["executionArn"])


def test_a_synthesis_is_used_again(assembly: Assembly) -> None:
    said: list[str] = []
    assert synthesize({"approver_emails": ["lead@example.com"]}, said.append) == assembly
    assert not said


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(DeployError, match=r"clusters\.shop\.freeze_budget_s"):
        synthesize({"freeze_budget_s": -1})


def test_a_stack_for_another_region_is_refused(emulator: Emulator, assembly: Assembly) -> None:
    with pytest.raises(DeployError, match="eu-west-1"):
        deploy(emulator, replace(assembly, config={**assembly.config, "region": "eu-west-1"}))


def test_what_cloudformation_refuses_is_said(emulator: Emulator, assembly: Assembly, tmp_path: Path) -> None:
    machine = {"StateMachineName": "broken", "DefinitionString": '{"StartAt": "Nowhere"}', "RoleArn": ROLE}
    resources: dict[str, Any] = {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}}
    (tmp_path / "broken.json").write_text(json.dumps({"Resources": resources}))
    properties = {"templateFile": "broken.json", "stackName": "Broken"}
    artifacts = {"BlueGreen-shop": {"type": "aws:cloudformation:stack", "properties": properties}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    another = {"vpc_id": "vpc-2", "subnet_ids": [], "availability_zones": [], "hosted_zone_id": "Z2"}
    with pytest.raises(DeployError, match=r"Broken: [\s\S]*InvalidDefinition"):
        deploy(emulator, Assembly(tmp_path, {**assembly.config, **another}))


def test_a_zip_depends_on_the_content_alone(tmp_path: Path) -> None:
    for folder, names in {"one": ("a.py", "b.py"), "two": ("b.py", "a.py")}.items():
        for name in names:
            (tmp_path / folder / "package").mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / "package" / name).write_text(name)
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "a.pyc").touch()
    for folder in ("one", "two"):
        zip_folder(tmp_path / folder, tmp_path / f"{folder}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
