"""A desk on moto at which releases ask and people answer, for the tests of the approval."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import boto3

from bluegreen.approval import page, requesting
from bluegreen.approval.commanding import decide
from bluegreen.approval.deciding import Request
from bluegreen.approval.links import Keys, Link
from bluegreen.approval.store import Approvals
from bluegreen.model import Plan
from local.browsing import Page, read
from local.release import Mail

NOW_S = 1_795_471_500.0
ASKED_AT = "2026-11-23T22:05:00.123Z"
PAGE_URL = "https://approvals.example"
HEADERS = {"content-type": "application/x-www-form-urlencoded", "origin": PAGE_URL, "sec-fetch-site": "same-origin"}


@cache
def client(service: str) -> Any:
    """Made once: that takes longer than most tests."""
    return boto3.client(service)


class Releases:
    """Step Functions, as far as it takes answers: tokens that are waited for, and what they were answered."""

    def __init__(self) -> None:
        self.exceptions = client("stepfunctions").exceptions
        self.waiting: set[str] = set()
        self.heard: dict[str, Any] = {}
        self.failure: Exception | None = None

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803 (as in boto3)
        if self.failure:
            raise self.failure
        if taskToken not in self.waiting:
            raise self.exceptions.TaskTimedOut({"Error": {"Code": "TaskTimedOut"}}, "SendTaskSuccess")
        self.waiting.remove(taskToken)
        self.heard[taskToken] = json.loads(output)


class Leads:
    """SNS, as far as release leads get mails."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803 (as in boto3)
        assert TopicArn == "arn:topic"
        self.mails.append(Mail(Subject, Message))


class Desk:
    """Everything between a state of the release and the people who are asked."""

    def __init__(self, plan: Plan, identity_claim: str = "") -> None:
        self.plan = plan
        self.identity_claim = identity_claim
        self.now_s = NOW_S
        self.releases = Releases()
        self.leads = Leads()
        dynamodb = client("dynamodb")
        names = {"release_id": "HASH", "request": "RANGE"}
        dynamodb.create_table(
            TableName="approvals",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )
        self.approvals = Approvals(dynamodb, "approvals")
        self.secrets = client("secretsmanager")
        self.secrets.create_secret(Name="key", SecretString='{"key": "the first key"}')
        self.keys = Keys(self.secrets, "key", lambda: self.now_s)
        self.page = page.Desk(
            self.approvals, self.releases, self.keys, PAGE_URL, identity_claim, clock=lambda: self.now_s
        )
        self.reported = 0

    def ask(self, waiting_as: str = "token-1", retry: int = 0, **more: Any) -> dict[str, Any]:
        """What the state of a release does."""
        self.releases.waiting.add(waiting_as)
        state = {
            "plan": dataclasses.replace(self.plan).to_state(),
            "question": "approval",
            "subject": "Approve?",
            "text": "Green is in step.",
            "asked_at": ASKED_AT,
            "retry": retry,
            "task_token": waiting_as,
        }
        desk = requesting.Desk(
            PAGE_URL, self.keys.signing(), "shop-Decide", "eu-west-2", "arn:topic", bool(self.identity_claim)
        )
        return requesting.ask(self.approvals, self.leads, self.releases, desk, state | more)

    @property
    def link(self) -> str:
        """That of the newest mail."""
        return self.leads.mails[-1].link

    @property
    def request(self) -> Request:
        found = self.approvals.find(self.plan.release_id, ASKED_AT)
        assert found
        return found

    def rows(self) -> Any:
        """The table as it is."""
        return self.approvals.dynamodb.scan(TableName="approvals")["Items"]

    def respond(self, event: Mapping[str, Any]) -> Page:
        """The page that follows a request to it."""

        def report() -> None:
            self.reported += 1

        response = page.respond(self.page, event, report)
        headers = {name.lower(): value for name, value in response["headers"].items()}
        return read(response["statusCode"], headers, response["body"])

    def get(self, link: str = "", **more: Any) -> Page:
        return self.respond(event("GET", link or self.link, **more))

    def post(self, decision: str, approver: str, comment: str = "", **more: Any) -> Page:
        """Fills in the form of a decision on the page and sends it."""
        claims = {"claims": more["claims"]} if "claims" in more else {}
        fields = self.get(**claims).forms[decision]
        typed = {} if claims else {"approver": approver}
        return self.respond(event("POST", self.link, fields | typed | {"comment": comment}, **more))

    def command(self, said: str, name: str, **more: Any) -> dict[str, Any]:
        """An answer by the command line of the mail."""
        command = self.leads.mails[-1].command
        assert command
        payload = command[1] | {"decision": said, "approver": name} | more
        return decide(self.approvals, self.releases, payload, self.now_s)


def event(
    method: str,
    link: str,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] = HEADERS,
    claims: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A request as API Gateway passes it on."""
    parts = urlsplit(link)
    context: dict[str, Any] = {"http": {"method": method}}
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": claims}}
    made: dict[str, Any] = {
        "pathParameters": {"release_id": parts.path.strip("/")},
        "queryStringParameters": dict(parse_qsl(parts.query)),
        "requestContext": context,
        "headers": dict(headers),
    }
    return made | ({"body": urlencode(fields)} if fields is not None else {})


def link_of(plan: Plan) -> Link:
    """What the link of a request says."""
    return Link(plan.release_id, ASKED_AT, int(NOW_S) + plan.approval_timeout_s)
