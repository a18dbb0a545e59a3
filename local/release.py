"""A release as its operator sees it: started, followed state by state, approved or rejected, ended."""

from __future__ import annotations

import email.policy
import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from local.aws.environment import ADMINISTRATOR
from local.postgres.binaries import full_version

POLL_S = 0.05
_COMMAND = re.compile(r"aws lambda invoke .*--function-name (\S+) .*--payload (.+) /dev/stdout")
_WAYS = re.compile(r"\n\nTo (?:approve|try again) or to reject, ")
_LINK = re.compile(r"^https?://\S+\?request=\S+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that SNS sent."""

    subject: str
    body: str

    @classmethod
    def read(cls, path: Path) -> Mail:
        """Reads a file of the emulator's mail folder."""
        message = BytesParser(policy=email.policy.default).parsebytes(path.read_bytes())
        return cls(str(message["Subject"]), str(message.get_content()))

    @property
    def request(self) -> str | None:
        """Which request for an answer it is; None for a mail that asks for none."""
        return str(self.command[1]["request"]) if self.command else None

    @property
    def command(self) -> tuple[str, dict[str, str]] | None:
        """The function that takes the answer, and the payload, as the command line in a request has them."""
        found = _COMMAND.search(self.body)
        return (found[1], json.loads(shlex.split(found[2])[0])) if found else None

    @property
    def question(self) -> str:
        """What a request asks, without the ways to answer it."""
        return _WAYS.split(self.body)[0]

    @property
    def link(self) -> str:
        """The page on which a request is answered."""
        found = _LINK.search(self.body)
        if found is None:
            raise LookupError(f"no link to the page is in the mail: {self.subject}")
        return found[0]


@dataclass(slots=True)
class Step:
    """A state that was entered, and left when ``duration_s`` is there. ``result`` is what the state data held then."""

    name: str
    entered_at: datetime
    attempts: int = 0
    last_error: str = ""
    duration_s: float | None = None
    result: dict[str, Any] = field(default_factory=dict)


class Release:
    """One execution of the state machine."""

    def __init__(self, stepfunctions: Any, execution_arn: str, mail_folder: Path) -> None:
        self._client = stepfunctions
        self.execution_arn = execution_arn
        self._mail_folder = mail_folder
        self._mails: dict[Path, Mail] = {}
        self.transitions = 0
        self._steps: dict[str, Step] = {}
        self._seen = 0

    @classmethod
    def start(
        cls, stepfunctions: Any, state_machine_arn: str, release_input: Any, mail_folder: Path, name: str
    ) -> Release:
        """Starts a release as the console does."""
        arn = stepfunctions.start_execution(
            stateMachineArn=state_machine_arn, name=name, input=json.dumps(release_input)
        )["executionArn"]
        return cls(stepfunctions, arn, mail_folder)

    def describe(self) -> dict[str, Any]:
        """Status, input, output, error and cause."""
        described: dict[str, Any] = self._client.describe_execution(executionArn=self.execution_arn)
        return described

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return bool(self.describe()["status"] == "RUNNING")

    def new_steps(self) -> Iterator[Step]:
        """States that were entered or left since the last call: a step comes once entered, and again when left."""
        for event in self._history()[self._seen :]:
            self._seen += 1
            kind = event["type"]
            if kind.endswith("StateEntered"):
                name = event["stateEnteredEventDetails"]["name"]
                self.transitions += 1
                self._steps[name] = Step(name, event["timestamp"])
                yield self._steps[name]
            elif kind.endswith("StateExited"):
                details = event["stateExitedEventDetails"]
                step = self._steps[details["name"]]
                step.duration_s = (event["timestamp"] - step.entered_at).total_seconds()
                output = json.loads(details.get("output") or "{}")
                step.result = output if isinstance(output, dict) else {}
                yield step
            elif kind == "LambdaFunctionFailed":
                details = event["lambdaFunctionFailedEventDetails"]
                self._last_open().last_error = f"{details.get('error')}: {_message(details.get('cause', ''))}"
                self._last_open().attempts += 1

    @property
    def waiting_for(self) -> str:
        """Why the state at work was tried again, if it was."""
        return next((step.last_error for step in reversed(list(self._steps.values())) if step.duration_s is None), "")

    def _last_open(self) -> Step:
        return next(step for step in reversed(list(self._steps.values())) if step.duration_s is None)

    def _history(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self.execution_arn, maxResults=1000
        )
        return [event for page in pages for event in page["events"]]

    def mails(self) -> list[Mail]:
        """The mails of this release, oldest first."""
        for path in sorted(self._mail_folder.glob("*.eml")):
            if path not in self._mails:  # this is asked often, and reading a mail takes a millisecond
                self._mails[path] = Mail.read(path)
        return [mail for mail in self._mails.values() if self.execution_arn in mail.body]

    def approval_request(self) -> Mail | None:
        """The mail that asks for approval, once it was sent."""
        return next((mail for mail in reversed(self.mails()) if mail.request), None)

    def answer(self, decision: str, approver: str = "local", comment: str = "") -> dict[str, Any]:
        """Answers the newest request as its command line does: ``approve``, ``try_again`` or ``reject``.

        Returns what the function said. Raises ``ReleaseEnded`` when the release does not wait for it any more.
        """
        request = self.approval_request()
        if request is None or request.command is None:
            raise LookupError("no approval request was sent yet")
        function, payload = request.command
        payload |= {"decision": decision, "approver": approver, "comment": comment}
        meta = self._client.meta
        invoked = _functions_at(meta.endpoint_url, meta.region_name).invoke(
            FunctionName=function, Payload=json.dumps(payload)
        )
        said: dict[str, Any] = json.loads(invoked["Payload"].read())
        if "outcome" not in said:
            raise LookupError(f"{function}: {said}")
        if said["heard"] == "gone":
            raise ReleaseEnded(said["message"])
        return said

    def wait_for_approval_request(self, timeout_s: float = 180.0) -> Mail:
        """The approval request, as soon as it is there. Raises ``ReleaseEnded`` when the release ends before it."""
        deadline = time.monotonic() + timeout_s
        while (request := self.approval_request()) is None:
            if not self.running:
                raise ReleaseEnded(self.failure())
            if time.monotonic() > deadline:
                raise TimeoutError(f"no approval request within {timeout_s:g} s")
            time.sleep(POLL_S)
        return request

    def wait(self, timeout_s: float = 240.0) -> dict[str, Any]:
        """The execution once it has ended."""
        deadline = time.monotonic() + timeout_s
        while (described := self.describe())["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.execution_arn} is still running after {timeout_s:g} s")
            time.sleep(POLL_S)
        return described

    def failure(self) -> str:
        """Why it failed: the error's name and message; empty when it did not."""
        described = self.describe()
        if "error" not in described:
            return ""
        return f"{described['error']}: {_message(described.get('cause', ''))}"


def upgrade_input(blue_version: int, green_version: int | None) -> dict[str, str]:
    """What the input of a release says of the engine: nothing when green is to be as blue is."""
    return {} if green_version in (None, blue_version) else {"engine_version": full_version(green_version)}


@cache
def _functions_at(endpoint_url: str, region: str) -> Any:
    """A client of Lambda; in a session of its own, as boto3's default one must not make two clients at a time."""
    return boto3.session.Session().client(
        "lambda",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=ADMINISTRATOR,
        aws_secret_access_key="local",  # noqa: S106 - nothing checks it
    )


class ReleaseEnded(Exception):
    """The release ended while something was expected of it; the message says how."""


def _message(cause: str) -> str:
    """The message in a cause, which for a function's error is JSON."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    return str(parsed.get("errorMessage", cause)) if isinstance(parsed, dict) else cause
