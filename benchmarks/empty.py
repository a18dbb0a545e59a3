"""`e`: the time of an empty function task, as the emulator and the function runtime of a release take it."""

from __future__ import annotations

import io
import json
import statistics
import time
import zipfile
from typing import Any

from local.aws.emulator import ACCOUNT, Emulator

TASKS = 10
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/empty"
_CALLING = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"},
}
_SOURCE = "def handler(event, context):\n    return {}\n"


class EmptyTasks:
    """A state machine that is a chain of empty tasks."""

    def __init__(self, emulator: Emulator) -> None:
        iam = emulator.client("iam")
        iam.create_role(RoleName="empty", AssumeRolePolicyDocument="{}")
        iam.put_role_policy(RoleName="empty", PolicyName="call", PolicyDocument=json.dumps(_CALLING))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("main.py", _SOURCE)
        function = emulator.client("lambda").create_function(
            FunctionName="empty",
            Handler="main.handler",
            Role=_ROLE,
            Runtime="python3.13",
            Code={"ZipFile": code.getvalue()},
        )["FunctionArn"]
        self._client = emulator.client("stepfunctions")
        definition = json.dumps(chain(function, TASKS))
        self._machine = self._client.create_state_machine(name="empty", definition=definition, roleArn=_ROLE)[
            "stateMachineArn"
        ]
        self.measure_ms(1)  # starts the function

    def measure_ms(self, executions: int) -> list[float]:
        """Milliseconds per task, one figure for each execution."""
        return [self._once() for _ in range(executions)]

    def median_ms(self, executions: int) -> float:
        """The median."""
        return statistics.median(self.measure_ms(executions))

    def _once(self) -> float:
        arn = self._client.start_execution(stateMachineArn=self._machine)["executionArn"]
        while (described := self._client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.2)
        if described["status"] != "SUCCEEDED":
            raise RuntimeError(f"the empty tasks ended as {described['status']}")
        events = self._client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        entered = next(event["timestamp"] for event in events if event["type"] == "TaskStateEntered")
        lasted: float = (events[-1]["timestamp"] - entered).total_seconds()
        return 1000 * lasted / TASKS


def chain(function_arn: str, tasks: int) -> dict[str, Any]:
    """A definition with tasks one after another.

    >>> [state.get("Next") for state in chain("arn", 2)["States"].values()]
    ['Task1', None]
    """
    states: dict[str, dict[str, Any]] = {}
    for number in range(tasks):
        follow = {"End": True} if number == tasks - 1 else {"Next": f"Task{number + 1}"}
        states[f"Task{number}"] = {"Type": "Task", "Resource": function_arn, **follow}
    return {"StartAt": "Task0", "States": states}
