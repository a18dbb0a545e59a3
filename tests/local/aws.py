"""Small things deployed to an emulator by the tests: functions, state machines, mails read back."""

import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from local.aws.emulator import ACCOUNT, Emulator
from tests.local.assets import zipped
from tests.waiting import eventually

ROLE = f"arn:aws:iam::{ACCOUNT}:role/probe"
ANYTHING = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Version": "2012-10-17"})
"""A policy for roles whose permissions a test is not about."""


def deploy_function(emulator: Emulator, name: str, source: str, timeout_s: int = 20) -> str:
    """A function whose module is `source`; its ARN."""
    iam = emulator.client("iam")
    if not any(role["Arn"] == ROLE for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="probe", AssumeRolePolicyDocument="{}")
        iam.put_role_policy(RoleName="probe", PolicyName="anything", PolicyDocument=ANYTHING)
    created = emulator.client("lambda").create_function(
        FunctionName=name,
        Handler="main.handler",
        Role=ROLE,
        Runtime="python3.13",
        Timeout=timeout_s,
        Code={"ZipFile": zipped({"main.py": source})},
    )
    return str(created["FunctionArn"])


def deploy_machine(emulator: Emulator, name: str, definition: dict[str, Any]) -> str:
    """A state machine; its ARN."""
    client = emulator.client("stepfunctions")
    arn = client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    return str(arn)


def start(emulator: Emulator, machine: str, event: object = None) -> str:
    """An execution's ARN."""
    client = emulator.client("stepfunctions")
    return str(client.start_execution(stateMachineArn=machine, input=json.dumps(event or {}))["executionArn"])


def finished(emulator: Emulator, execution: str) -> dict[str, Any]:
    """What DescribeExecution says at the end, with the output as an object."""
    client = emulator.client("stepfunctions")

    def described() -> dict[str, Any]:
        answer: dict[str, Any] = client.describe_execution(executionArn=execution)
        return answer

    eventually(lambda: described()["status"] != "RUNNING")
    end = described()
    return end | {"output": json.loads(end["output"])} if "output" in end else end


def mails(folder: Path) -> list[EmailMessage]:
    """The mails that were sent, in order."""
    return [
        mail
        for path in sorted((folder / "mail").glob("*.eml"))
        if isinstance(mail := message_from_bytes(path.read_bytes(), policy=default), EmailMessage)
    ]
