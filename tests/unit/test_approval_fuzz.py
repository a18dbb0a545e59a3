"""Ten thousand requests to the page that nobody who holds a link and its form would send.

They are made up from a seed, so that a failure comes again. Of each something is wrong: then there is a page that says
so, no error that nobody handles, and nothing is written, neither to the table nor to the release.
"""

from __future__ import annotations

import base64
import json
import random
import string
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from bluegreen.approval import page
from bluegreen.approval.deciding import Request
from bluegreen.approval.links import Keys, Link
from bluegreen.approval.store import Approvals
from tests.unit.asking import ASKED_AT, HEADERS, NOW_S, PAGE_URL, event

CASES = 10_000
KEY = b"the key"
LINK = Link("20261123-0405-abcdef", ASKED_AT, int(NOW_S) + 60)
HOSTILE = "<script>\"'&<svg/onload=x>"
REQUEST = Request(
    LINK.release_id, ASKED_AT, "approval", HOSTILE, HOSTILE, HOSTILE, HOSTILE, 2, LINK.expires_at_s, "the token"
)
STATUSES = {200, 400, 403, 405, 410, 413, 415, 422}

TEXTS = [
    "",
    "0",
    "-1",
    "9" * 400,
    "\x00",
    "\ud800",
    "\u202e",
    "é" * 200,
    "%",
    "%ff",
    "&&==",
    "a=b;c",
    HOSTILE,
    "' OR 1=1 --",
    "../../etc/passwd",
    "${jndi:x}",
    "\r\nSet-Cookie: a=b",
    "[]",
    "null",
    "A" * 43,
    "A" * 20_000,
    ASKED_AT,
    LINK.release_id,
    "٣" * 12,
]


class Untouched:
    """A table with one request, and a release that waits: whatever is written is counted."""

    def __init__(self) -> None:
        self.written = 0
        asked = {
            name: getattr(REQUEST, name)
            for name in (
                "question",
                "cluster_name",
                "requested_by",
                "subject",
                "text",
                "approvers_needed",
                "expires_at_s",
            )
        }
        self._item = {
            "release_id": {"S": LINK.release_id},
            "request": {"S": ASKED_AT},
            "task_token": {"S": "the token"},
            "answers": {"S": "[]"},
            "asked": {"S": json.dumps(asked)},
        }
        missing = type("Missing", (Exception,), {})
        self.exceptions = SimpleNamespace(ResourceNotFoundException=missing, ConditionalCheckFailedException=missing)

    def get_item(self, *, Key: Any, **_more: Any) -> dict[str, Any]:  # noqa: N803 (as in boto3)
        is_there = Key == {name: self._item[name] for name in ("release_id", "request")}
        return {"Item": self._item} if is_there else {}

    def update_item(self, **_more: Any) -> None:
        self.written += 1
        raise AssertionError("something was written")

    send_task_success = update_item

    def get_secret_value(self, *, VersionStage: str, **_more: Any) -> dict[str, str]:  # noqa: N803 (as in boto3)
        if VersionStage == "AWSPREVIOUS":
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": json.dumps({"key": KEY.decode()})}


class Maker:
    """Makes requests up."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def text(self) -> str:
        if self._random.random() < 0.7:
            return self._random.choice(TEXTS)
        return "".join(self._random.choices(string.printable + "é\u2028\u0000\U0001f600", k=self._random.randrange(80)))

    def anything(self, depth: int = 0) -> Any:
        """Any JSON."""
        kind = self._random.randrange(8 if depth < 2 else 5)
        if kind < 2:
            return self.text()
        if kind < 5:
            return self._random.choice([None, True, False, 0, -1, 1e308, 10**30])
        if kind < 6:
            return [self.anything(depth + 1) for _ in range(self._random.randrange(3))]
        return {self.text(): self.anything(depth + 1) for _ in range(self._random.randrange(3))}

    def case(self) -> tuple[dict[str, Any], str]:
        """A request, and which kind of wrong it is."""
        kind = self._random.choice(["link", "form", "body", "structure", "structure", "headers", "method"])
        url = LINK.url(PAGE_URL, KEY)
        fields = {"form_token": LINK.form_token(KEY, ""), "decision": "approve", "approver": "Ann", "comment": ""}
        made = event("POST", url, fields)
        match kind:
            case "link":
                query = made["queryStringParameters"]
                name = self._random.choice(["request", "expires", "signature", "release_id"])
                place = made["pathParameters"] if name == "release_id" else query
                place[name] = self._mutated(place[name])
            case "form":
                name = self._random.choice(["form_token", "decision"])
                fields[name] = self._mutated(fields[name])
                if self._random.random() < 0.5:
                    fields["approver"], fields["comment"] = self.text(), self.text()
                made["body"] = urlencode(fields, errors="replace")
            case "body":
                made["isBase64Encoded"] = self._random.choice([True, False, None, "yes"])
                raw = self._random.randbytes(self._random.randrange(200))
                made["body"] = self._random.choice(
                    [base64.b64encode(raw).decode(), raw.decode("latin-1"), self.text(), self.anything()]
                )
            case "structure":
                names = ["pathParameters", "queryStringParameters", "requestContext", "headers"]
                for name in self._random.sample(names, self._random.randrange(1, 4)):
                    made[name] = self.anything()
                if isinstance(made["headers"], dict):
                    made["headers"]["sec-fetch-site"] = "cross-site"
            case "headers":
                made["headers"] = HEADERS | {
                    self._random.choice(["origin", "sec-fetch-site", "content-type"]): self._random.choice(
                        ["https://elsewhere.example", "cross-site", "text/plain", self.text() + "x", 5]
                    )
                }
            case "method":
                made["requestContext"] = {"http": {"method": self._random.choice(["GET", "HEAD", "PUT", self.text()])}}
        return made, kind

    def _mutated(self, value: str) -> str:
        """Another value, often nearly the same."""
        if self._random.random() < 0.4 and (text := self.text()) != value:
            return text
        place = self._random.randrange(len(value))
        other = self._random.choice([each for each in "A0z-9" if each != value[place]])
        return self._random.choice([value[:place] + other + value[place + 1 :], value[:place], value + other])


def test_nothing_that_is_not_an_answer_from_the_page_changes_anything_or_fails() -> None:
    world: Any = Untouched()
    reported: list[None] = []
    desk = page.Desk(
        Approvals(world, "approvals"), world, Keys(world, "key", lambda: NOW_S), PAGE_URL, "", lambda: NOW_S
    )
    maker = Maker(20_261_123)
    seen: set[tuple[str, int]] = set()
    for number in range(CASES):
        made, kind = maker.case()
        response = page.respond(desk, made, lambda: reported.append(None))
        about = f"case {number} ({kind}): {made}"
        assert not reported, about
        assert not world.written, about
        assert response["statusCode"] in STATUSES, about
        assert "<script" not in response["body"], about
        assert "<svg" not in response["body"], about
        assert "the token" not in response["body"], about
        response["body"].encode()
        seen.add((kind, response["statusCode"]))
    assert {status for _, status in seen} == STATUSES - {410}, "the cases reach every part of the page"
