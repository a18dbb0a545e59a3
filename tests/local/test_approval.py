"""The deployed functions of the approval, with a state that waits: in a browser, by the command line, and at once.

The state is that of the release, in a state machine of its own; what comes before it is in ``tests/e2e``.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local import browsing
from local.aws.deploy import Stack, deploy, synthesize
from local.aws.emulator import Emulator
from local.aws.seams.http_apis import APIS
from local.host import working_folder
from local.release import Release, ReleaseEnded
from tests.local.browser import Browser, browser
from tests.waiting import eventually

DEFINITION = json.loads(Path("statemachine/release.asl.json").read_text(encoding="utf-8"))
EVIDENCE = """Release 20261123-2108-cb8b88 of shop is ready to switch over.

Asked for by: Rita Requester
Reason:       <b>version</b> 42 & "more"
From (blue):  shop-blue at shop-blue.cluster-abc.eu-west-2.rds.amazonaws.com:5432
To (green):   shop-20261123-2108-cb8b88 at shop-20261123-2108-cb8b88.cluster-abc.eu-west-2.rds.amazonaws.com:5432
Record:       db.shop.internal CNAME
              db-ro.shop.internal CNAME, readers

Green is in step with blue:
  app: 17 tables, 14 sequences, 214.31 GB; 22176 bytes behind, a row takes 3 ms from blue to green
    all 129114216 rows compared and equal, and the 1220 that changed meanwhile
  crm: 10 tables, 7 sequences, 0.01 GB; 20352 bytes behind, a row takes 0 ms from blue to green
    all 6685 rows compared and equal, and the 587 that changed meanwhile
Schema, roles, grants, settings and passwords are the same on both sides.
Changes made on green:
  app: s3://shop-release-scripts/release-42/1.sql (version 820edee36cfa650e, sha256 903bcd0369efab6a…): 2 statements
Warnings, accepted by Rita Requester: unlogged-table (1).
It was never rehearsed.

When you approve, blue stops taking writes at once. Green takes over when it is proven to hold everything.
That is expected to take 0.6 s, from what its parts take now.
If a step fails, or all takes more than 30 s, blue takes writes again; nothing is lost.
Without an answer within 86400 s the release is abandoned and green removed."""
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with working_folder() as folder:
        made = Emulator(folder / "aws", "eu-west-2")
        made.retry_scale = 0.01
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Stack:
    return deploy(emulator, synthesize({"approver_emails": ["lead@example.com"]}))


@pytest.fixture(scope="module")
def machine(emulator: Emulator, stack: Stack) -> str:
    """The release's state machine, which has nothing left to do but to ask, and ends with the answer."""
    state = {name: value for name, value in DEFINITION["States"]["RequestApproval"].items() if name != "Catch"}
    state |= {"Next": "Answered"}
    definition = {"StartAt": "RequestApproval", "States": {"RequestApproval": state, "Answered": {"Type": "Succeed"}}}
    lambda_ = emulator.client("lambda")
    arn = lambda_.get_function_configuration(FunctionName="bluegreen-shop-RequestApproval")["FunctionArn"]
    emulator.client("stepfunctions").update_state_machine(
        stateMachineArn=stack.outputs["StateMachineArn"],
        definition=json.dumps(definition).replace("${RequestApprovalFunctionArn}", arn),
    )
    return stack.outputs["StateMachineArn"]


class Asking:
    """Executions that ask."""

    def __init__(self, emulator: Emulator, machine: str) -> None:
        self.emulator = emulator
        self._machine = machine

    def ask(self, **more: Any) -> Release:
        """An execution whose mail has come."""
        name = uuid.uuid4().hex
        arn = f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"
        plan = {
            "release_id": f"20261123-2108-{name[:6]}",
            "cluster_name": "shop",
            "execution_arn": arn,
            "requested_by": "Rita Requester",
            "reason": "",
            "blue": {"identifier": "shop-blue", "host": "blue", "port": 5432},
            "green_identifier": "green",
            "databases": ["app"],
            "records": [],
            "switchover_ttl_s": 1,
            "approval_timeout_s": 600,
            "freeze_budget_s": 30,
            "max_attempts": 1,
            "max_lag_bytes": 0,
            "max_lag_s": 1.0,
        }
        evidence = {"subject": f"Approve release {plan['release_id']} of shop?", "text": EVIDENCE}
        asked = {"plan": plan | more, "evidence": evidence}
        mails = self.emulator.folder / "mail"
        release = Release.start(self.emulator.client("stepfunctions"), self._machine, asked, mails, name)
        release.wait_for_approval_request()
        return release

    def rows(self, stack: Stack) -> Any:
        """All requests as they are kept."""
        return self.emulator.client("dynamodb").scan(TableName=stack.outputs["ApprovalTableName"])["Items"]


@pytest.fixture(scope="module")
def asking(emulator: Emulator, machine: str) -> Asking:
    return Asking(emulator, machine)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


def link(release: Release) -> str:
    request = release.approval_request()
    assert request
    return request.link


def approval(release: Release) -> dict[str, Any]:
    """What the state machine was answered."""
    found: dict[str, Any] = json.loads(release.wait(timeout_s=60)["output"])["approval"]
    return found


def test_a_lead_approves_on_a_phone_and_the_link_is_used(asking: Asking, chromium: Browser) -> None:
    release = asking.ask()
    chromium.resize(*PHONE)
    chromium.open(link(release))
    assert chromium.text("h1") == "Approve this release?"
    assert "Rita Requester" in chromium.text("main")
    assert '<b>version</b> 42 & "more"' in chromium.text("main")
    assert chromium.style("button.no", "background-color") == "rgba(163, 38, 42, 1)", "the policy admits the style"
    assert chromium.content_width() <= PHONE[0], "nothing is to be scrolled sideways"
    chromium.type("#approve-name", "Ann Example")
    chromium.type("#approve-comment", "looks fine\nto me <i>")
    chromium.click("button[value=approve]")
    said = "Approved by Ann Example (name not verified): “looks fine to me <i>”."
    eventually(lambda: said in chromium.text("[role=status]"))
    answered = approval(release)
    assert answered["decision"] == "approve"
    assert answered["answers"][0]["comment"] == "looks fine\nto me <i>"
    chromium.open(link(release))
    assert not chromium.has("form")
    assert "Ann Example (name not verified): approve, by page," in chromium.text("main")


def test_a_lead_rejects_at_a_desk(asking: Asking, chromium: Browser) -> None:
    release = asking.ask()
    chromium.resize(*DESK)
    chromium.open(link(release))
    assert chromium.content_width() <= DESK[0]
    chromium.click("button[value=reject]")
    assert chromium.text("h1") == "Approve this release?", "the browser wants a name first"
    chromium.type("#reject-name", "Bob")
    chromium.click("button[value=reject]")
    eventually(lambda: "Rejected by Bob" in chromium.text("[role=status]"))
    assert approval(release)["decision"] == "reject"


def test_a_page_that_was_open_when_another_answered_says_so(asking: Asking, chromium: Browser) -> None:
    release = asking.ask()
    chromium.open(link(release))
    assert release.answer("reject", "Bob")["outcome"] == "decided"
    chromium.type("#approve-name", "Ann")
    chromium.click("button[value=approve]")
    eventually(lambda: "This was decided before. Rejected by Bob" in chromium.text("[role=alert]"))
    assert approval(release)["decision"] == "reject"


def test_a_link_that_was_tampered_with_shows_nothing(asking: Asking, chromium: Browser) -> None:
    release = asking.ask()
    chromium.open(link(release).replace("expires=", "expires=1"))
    assert chromium.text("h1") == "This link is not valid"
    assert not chromium.has("form")
    assert "Rita" not in chromium.text("body")
    assert release.running
    release.answer("reject")


def test_a_link_expires_with_its_release(asking: Asking, chromium: Browser) -> None:
    release = asking.ask(approval_timeout_s=1)
    assert release.wait(timeout_s=60)["status"] != "SUCCEEDED"
    chromium.open(link(release))
    assert chromium.text("h1") == "This link has expired"
    assert not chromium.has("form")


def test_what_scanners_of_mails_do_changes_nothing(asking: Asking, stack: Stack) -> None:
    """They follow links, all at once and again, and ask for headers."""
    release = asking.ask()
    before = asking.rows(stack)
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda _: browsing.fetch(link(release)), range(20)))
    assert {page.status for page in pages} == {200}
    assert asking.rows(stack) == before
    assert release.running
    assert pages[0].headers["cache-control"] == "no-store"
    assert browsing.answer(link(release), "approve", "Ann").status == 200
    assert approval(release)["approver"] == "Ann"


def test_two_approvers_of_whom_none_asked_for_the_release(asking: Asking) -> None:
    release = asking.ask(approvers_needed=2)
    page = browsing.answer(link(release), "approve", "Ann")
    assert page.said.startswith("Your approval is noted; one more person has to approve")
    assert [release.answer("approve", name)["outcome"] for name in ("ann", "rita requester")] == [
        "same person",
        "requester",
    ]
    assert release.running
    assert release.answer("approve", "Bob")["outcome"] == "decided"
    assert approval(release)["approver"] == "Ann, Bob"


def test_an_answer_comes_through_when_the_function_that_asked_died_after_the_mail(
    asking: Asking, emulator: Emulator, stack: Stack
) -> None:
    """The answer is to the first mail, whose token is dead by then; the second try hands it over."""
    answered = threading.Event()
    emulator.functions.inject("bluegreen-shop-RequestApproval", "time_out", after_s=0.3)
    emulator.functions.during("bluegreen-shop-RequestApproval", before=lambda: answered.wait(timeout=30))
    release = asking.ask()
    assert release.answer("approve", "Ann")["outcome"] == "decided"
    answered.set()
    assert approval(release)["approver"] == "Ann"


def test_a_release_that_was_stopped_waits_for_no_answer(asking: Asking, emulator: Emulator) -> None:
    release = asking.ask()
    emulator.client("stepfunctions").stop_execution(executionArn=release.execution_arn)
    with pytest.raises(ReleaseEnded, match="no longer waiting"):
        release.answer("approve", "Ann")
    assert "no longer waiting" in browsing.fetch(link(release)).text


def test_neither_tokens_nor_signatures_are_in_mails_or_logs(asking: Asking, emulator: Emulator, stack: Stack) -> None:
    release = asking.ask()
    browsing.answer(link(release), "reject", "Ann")
    folders = {name: emulator.folder / name for name in ("mail", "logs")}
    texts = {name: [path.read_text(errors="replace") for path in folder.iterdir()] for name, folder in folders.items()}
    tokens = [row["task_token"]["S"] for row in asking.rows(stack)]
    assert tokens
    assert not [token for token in tokens for text in (*texts["mail"], *texts["logs"]) if token in text]
    signature = link(release).split("signature=")[1]
    assert not [text for text in texts["logs"] if signature in text]
    log = (folders["logs"] / "aws-vendedlogs-bluegreen-shop-approval.log").read_text()
    assert '"routeKey":"POST /{release_id}"' in log.replace('": "', '":"')


def test_what_is_no_route_is_not_found_and_a_route_that_wants_a_token_refuses(
    asking: Asking, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the listener in API Gateway's place does by itself: no function is called."""
    release = asking.ask()
    url = stack.outputs["ApprovalPageUrl"]
    assert [browsing.fetch(f"{url}{path}").status for path in ("/", "/a/b", "/a/")] == [404] * 3
    (api,) = APIS.values()
    for route in api.routes.values():
        monkeypatch.setitem(route, "AuthorizationType", "JWT")
    assert browsing.fetch(link(release)).status == 401
    monkeypatch.undo()
    assert browsing.fetch(link(release)).status == 200
    release.answer("reject")
