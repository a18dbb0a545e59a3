"""The real definition, executed; its functions are stand-ins that answer at once, so that every path can be walked."""

from __future__ import annotations

import io
import json
import re
import shlex
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.emulator import Emulator
from local.aws.environment import Answer, Function
from local.host import working_folder
from local.release import POLL_S, Release
from tests.local.aws import ANYTHING

DEFINITION = Path("statemachine/release.asl.json")
TOPIC_MAIL = "release-lead@example.com"

PLAN = {
    "release_id": "20261123-0405-abcdef",
    "mode": "release",
    "requested_by": "a test",
    "reason": "to see it work",
    "green_identifier": "shop-green",
    "approval_timeout_s": 60,
    "freeze_budget_s": 30,
    "attempt": 1,
    "cluster_name": "shop",
    "databases": ["app", "crm"],
    "changes": [{"database": "app", "bucket": "scripts", "key": "one.sql"}],
    "freeze_method": "nologin",
    "freeze_hook_function_arn": "",
    "freeze_hook_timeout_s": 30,
    "hook_function_arn": "",
    "hook_timeout_s": 30,
    "records": [{"name": "db.shop.internal"}, {"name": "db-ro.shop.internal"}],
    "blue": {"identifier": "shop-blue", "host": "127.0.1.1", "port": 5432},
}
HOOK = "pause-the-shop"
"""The customer's function, of the freeze method hook as well as around the switchover."""
GREEN = {"identifier": "shop-green", "host": "127.0.1.2", "port": 5432}
RESULTS: dict[str, Any] = {
    "PlanRelease": PLAN,
    "CheckBlue": {"inventory": {}, "modifies_green": True, "is_fit": True},
    "WaitForGreen": GREEN,
    "WaitForUpgrade": GREEN,
    "LowerTtl": {"old_ttl_ends_at": "2026-01-01T00:00:00Z"},
    "GatherEvidence": {
        "subject": "Approve release 20261123-0405-abcdef of shop?",
        "text": 'It\'s {ready} — \\ "really".',
        "expected_freeze_s": 0.4,
    },
    "FreezeBlue": {"frozen_at": "2026-11-23T04:05:05+00:00", "left_s": 30},
    "WaitForDrain": {"drain_s": {"app": 0.01}, "left_s": 29},
    "BeginVerification": {"workers": [0, 1]},
    "SumUpVerification": {"chunks_left": 0, "rows": {"app": 1000}},
    "VerifyCutover": {"compared": {}, "left_s": 28},
    "AbortSwitchover": {"outcome": "abort", "decided_at": "", "roles": 1, "next_attempt": 1},
    "OpenGreen": {"outcome": "open", "decided_at": "2026-11-23T04:05:06+00:00", "roles": 1},
    "ReleaseLock": {
        "explanation": "because the test wants it",
        "release_id": "20261123-0405-abcdef",
        "requested_by": "a test",
    },
    "CompleteRelease": {"release_id": "20261123-0405-abcdef", "freeze_to_open_ms": 41.5, "hook_failure": None},
    "WriteReport": {
        "bucket": "reports",
        "key": "k",
        "url": "https://console/k",
        "sentence": "Report: https://console/k",
    },
}


def order(release: Release, phase: str) -> dict[str, Any]:
    """What every function of the customer's is asked before the freeze, in the first attempt."""
    return {
        "phase": phase,
        "release_id": PLAN["release_id"],
        "attempt": 1,
        "execution_arn": release.execution_arn,
        "cluster": "shop",
        "databases": ["app", "crm"],
        "blue": "shop-blue",
        "green": "shop-green",
        "after_freeze": False,
    }


def listen(emulator: Emulator) -> str:
    """A queue that gets every event of the state machines."""
    url = str(emulator.client("sqs").create_queue(QueueName=f"told-{uuid.uuid4()}")["QueueUrl"])
    wanted = {"source": ["bluegreen.release"]}
    emulator.client("events").put_rule(Name=url.rsplit("/", 1)[1], EventPattern=json.dumps(wanted))
    arn = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    emulator.client("events").put_targets(
        Rule=url.rsplit("/", 1)[1], Targets=[{"Id": "told", "Arn": arn["Attributes"]["QueueArn"]}]
    )
    return url


class Machine:
    """The state machine with stand-ins; ``faults`` says how often each state's function fails and with what."""

    def __init__(self, emulator: Emulator, definition: Path = DEFINITION) -> None:
        self.emulator = emulator
        self.faults: dict[str, list[str]] = {}
        self.results: dict[str, Any] = {}
        self.calls: Counter[str] = Counter()
        self.events: dict[str, dict[str, Any]] = {}
        self.asked_hook: list[dict[str, Any]] = []
        self.told = listen(emulator)
        self._events: list[dict[str, Any]] = []
        iam = emulator.client("iam")
        self.role = iam.create_role(RoleName="test", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        iam.put_role_policy(RoleName="test", PolicyName="anything", PolicyDocument=ANYTHING)
        self.hook_arn = self._create_function(HOOK)
        text = definition.read_text(encoding="utf-8")
        topic = emulator.client("sns").create_topic(Name="approvals")["TopicArn"]
        emulator.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=TOPIC_MAIL)
        for name in sorted(set(re.findall(r"\$\{(\w+)FunctionArn\}", text))):
            text = text.replace(f"${{{name}FunctionArn}}", self._create_function(name))
        self._create_function("DecideApproval")
        self.topic_arn = topic
        self.tokens: dict[str, str] = {}
        """Of the requests, as the table of the application keeps them."""
        text = text.replace("${ApprovalTopicArn}", topic).replace("${Region}", emulator.region)
        text = text.replace("${ClusterName}", "shop")
        assert "${" not in text
        self.arn = emulator.client("stepfunctions").create_state_machine(
            name="bluegreen-shop", definition=text, roleArn=self.role
        )["stateMachineArn"]

    def events_of(self, release: Release) -> list[dict[str, Any]]:
        """The events that an execution has sent, oldest first."""
        sqs = self.emulator.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.told, MaxNumberOfMessages=10).get("Messages"):
            self._events += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=self.told, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self._events if event["detail"]["execution_arn"] == release.execution_arn]

    def _create_function(self, name: str) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.py", "")
        created = self.emulator.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role,
            Handler="index.handler",
            Code={"ZipFile": code.getvalue()},
        )
        return str(created["FunctionArn"])

    def answer(self, function: Function, event: bytes) -> Answer:
        """Stands in for the Lambda runtime."""
        self.calls[function.name] += 1
        self.events[function.name] = json.loads(event)
        if function.name == HOOK:
            self.asked_hook.append(self.events[HOOK] | {"after_freeze": self.calls["FreezeBlue"] > 0})
        if self.faults.get(function.name):
            return Answer.failed(self.faults[function.name].pop(0), "as the test wants it")
        result = self.results.get(function.name, RESULTS.get(function.name, {"done": function.name}))
        if function.name == "PlanRelease":
            result = result | {"execution_arn": self.events[function.name]["execution_arn"]}
        elif function.name == "RequestApproval":
            self._ask(self.events[function.name])
        elif function.name == "DecideApproval":
            result = self._decide(self.events[function.name])
        return Answer(json.dumps(result).encode())

    def _ask(self, event: dict[str, Any]) -> None:
        """A mail with what `Release.answer` needs of it."""
        self.tokens[event["asked_at"]] = event["task_token"]
        payload = shlex.quote(json.dumps({"request": event["asked_at"]}))
        command = f"aws lambda invoke --function-name DecideApproval --payload {payload} /dev/stdout"
        text = f"{event['text']}\n\n{command}\n\n{event['plan']['execution_arn']}\n"
        self.emulator.client("sns").publish(TopicArn=self.topic_arn, Subject=event["subject"], Message=text)

    def _decide(self, event: dict[str, Any]) -> dict[str, Any]:
        output = {"decision": event["decision"], "approver": event["approver"], "said": "As the test wants it."}
        self.emulator.client("stepfunctions").send_task_success(
            taskToken=self.tokens[event["request"]], output=json.dumps(output)
        )
        return {"outcome": "decided", "heard": "yes", "message": output["said"]}

    def start(self, release_input: Any = None, *, as_it_is: bool = False) -> Release:
        return Release.start(
            self.emulator.client("stepfunctions"),
            self.arn,
            release_input if as_it_is else release_input or {},
            self.emulator.folder / "mail",
            name=f"test-{uuid.uuid4()}",
        )

    def use_hook(self) -> None:
        """Plan releases by the freeze method hook."""
        self.results["PlanRelease"] = PLAN | {"freeze_method": "hook", "freeze_hook_function_arn": self.hook_arn}

    def call_hook(self) -> None:
        """Plan releases with a hook around the switchover."""
        self.results["PlanRelease"] = PLAN | {"hook_function_arn": self.hook_arn}

    def run(self, decision: str = "approve") -> tuple[Release, list[str]]:
        """A release to its end, all its requests answered alike, and the states it went through."""
        release = self.start()
        while release.running:
            if (request := release.approval_request()) and request.request not in self.events:
                self.events[str(request.request)] = {}
                release.answer(decision)
            time.sleep(POLL_S)
        return release, [step.name for step in release.new_steps() if step.duration_s is None]


@pytest.fixture(scope="module")
def _emulator() -> Iterator[Emulator]:
    with working_folder() as folder:
        emulator = Emulator(folder / "aws", "eu-west-2")
        emulator.retry_scale = 0.001
        try:
            yield emulator
        finally:
            emulator.close()


@pytest.fixture(scope="module")
def _machine(_emulator: Emulator) -> Machine:
    return Machine(_emulator)


@pytest.fixture
def machine(_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine without faults."""
    monkeypatch.setattr(_machine.emulator.functions, "invoke", _machine.answer)
    _machine.faults, _machine.results, _machine.calls, _machine.events = {}, {}, Counter(), {}
    _machine.asked_hook = []
    return _machine
