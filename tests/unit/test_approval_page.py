"""The page: who is let in, what it shows, and that looking at it changes nothing."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from typing import Any

import pytest

from bluegreen.approval.links import ASKED_AGAIN_S
from bluegreen.approval.markup import evidence
from bluegreen.approval.style import STYLE
from bluegreen.model import Plan
from tests.unit.asking import HEADERS, NOW_S, PAGE_URL, Desk, event, link_of

HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=y>"


def signed_in(email: str, is_verified: Any = "true") -> dict[str, Any]:
    """The claims of a token."""
    return {"email": email, "email_verified": is_verified}


@pytest.fixture
def desk(plan: Plan) -> Desk:
    made = Desk(plan)
    made.ask()
    return made


def test_the_page_shows_what_was_found_and_two_forms(desk: Desk) -> None:
    page = desk.get()
    assert page.status == 200
    assert set(page.forms) == {"approve", "reject"}
    assert "Green is in step." in page.text
    assert desk.plan.release_id in page.text
    assert "token-1" not in page.text


def test_looking_at_it_changes_nothing_however_often(desk: Desk) -> None:
    before = desk.rows()
    texts = {desk.get().text for _ in range(50)}
    assert len(texts) == 1
    assert desk.rows() == before
    assert desk.releases.heard == {}


def test_an_approval_goes_to_the_release_and_the_link_tells_of_it_from_then_on(desk: Desk) -> None:
    page = desk.post("approve", "Ann", "go")
    assert page.status == 200
    assert page.said.startswith("Approved by Ann (name not verified): “go”. The release goes on")
    assert desk.releases.heard["token-1"]["answers"][0]["way"] == "page"
    used = desk.get()
    assert used.forms == {}
    for told in ("Ann (name not verified)", "approve, by page, 2026-11-23 22:05 UTC", "go"):
        assert told in used.text
    desk.now_s += desk.plan.approval_timeout_s
    assert "Ann (name not verified)" in desk.get().text, "also when nobody could answer any more"


def test_a_second_answer_is_told_of_the_first_and_changes_nothing(desk: Desk) -> None:
    fields = desk.get().forms["reject"]
    desk.post("approve", "Ann")
    before = desk.rows()
    page = desk.respond(event("POST", desk.link, fields | {"approver": "Bob"}))
    assert page.status == 409
    assert page.said.startswith("This was decided before. Approved by Ann")
    assert desk.rows() == before


def test_a_release_that_waits_no_more_is_told_of(desk: Desk) -> None:
    desk.releases.waiting.clear()
    page = desk.post("approve", "Ann")
    assert "no longer waiting" in page.said
    assert 'role="alert"' in page.text
    assert "no longer waiting" in desk.get().text


def test_a_decision_that_the_release_was_not_told_of_can_be_sent_again(desk: Desk) -> None:
    desk.releases.failure = RuntimeError("as the test wants it")
    assert desk.post("reject", "Ann").status == 500
    assert desk.reported == 1
    desk.releases.failure = None
    assert list(desk.get().forms) == ["reject"]
    assert desk.post("reject", "Bob").status == 409
    assert desk.releases.heard["token-1"]["approver"] == "Ann"


def test_a_link_expires(desk: Desk) -> None:
    fields = desk.get().forms["approve"] | {"approver": "Ann"}
    desk.now_s = desk.request.expires_at_s
    for answer in (desk.get(), desk.respond(event("POST", desk.link, fields))):
        assert answer.status == 410
        assert "has expired" in answer.text
    assert desk.request.answers == ()


def test_a_link_of_a_release_that_has_ended_says_so(desk: Desk) -> None:
    fields = desk.get().forms["approve"] | {"approver": "Ann"}
    desk.approvals.close(desk.plan.release_id)
    for answer in (desk.get(), desk.respond(event("POST", desk.link, fields))):
        assert answer.status == 410
        assert "This release has ended" in answer.text
    assert desk.request.answers == ()


def test_what_was_decided_is_shown_also_when_the_release_has_ended(desk: Desk) -> None:
    desk.post("approve", "Ann")
    desk.approvals.close(desk.plan.release_id)
    page = desk.get()
    assert page.status == 200
    assert "Approved by Ann" in page.text


def test_a_link_of_a_request_that_is_long_over_has_expired(desk: Desk) -> None:
    link = desk.link
    for row in desk.rows():
        desk.approvals.dynamodb.delete_item(
            TableName="approvals", Key={name: row[name] for name in ("release_id", "request")}
        )
    assert desk.get(link).status == 410


@pytest.mark.parametrize("place", range(0, 43, 7))
def test_a_link_with_another_signature_is_not_valid(desk: Desk, place: int) -> None:
    head, signature = desk.link.split("signature=")
    other = "A" if signature[place] != "A" else "B"
    tampered = f"{head}signature={signature[:place]}{other}{signature[place + 1 :]}"
    page = desk.get(tampered)
    assert page.status == 403
    assert "This link is not valid" in page.text
    assert "Green is in step." not in page.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("expires=", "expires=9"),
        ("abcdef?", "abcde0?"),
        ("22:05:00.123Z", "22:05:00.124Z"),
        ("signature=", "signature=x"),
        ("request=", "asked="),
    ],
)
def test_a_link_whose_parts_were_changed_is_not_valid(desk: Desk, old: str, new: str) -> None:
    assert old in desk.link
    assert desk.get(desk.link.replace(old, new)).status == 403


def test_links_outlive_a_rotation_of_the_key_and_new_ones_are_known_at_once(desk: Desk) -> None:
    old = desk.link
    desk.get()
    desk.secrets.put_secret_value(SecretId="key", SecretString='{"key": "the second key"}')
    new = link_of(desk.plan).url(PAGE_URL, b"the second key")
    assert desk.get(new).status == 403, "the keys were read this very instant"
    desk.now_s += ASKED_AGAIN_S
    assert [desk.get(link).status for link in (old, new)] == [200, 200]
    assert desk.get(link_of(desk.plan).url(PAGE_URL, b"no key of ours")).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (HEADERS, 200),
        (HEADERS | {"origin": "null"}, 200),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}, 200),
        (HEADERS | {"sec-fetch-site": "cross-site"}, 403),
        (HEADERS | {"sec-fetch-site": "same-site"}, 403),
        (HEADERS | {"origin": "https://elsewhere.example"}, 403),
        (HEADERS | {"origin": PAGE_URL + ".elsewhere.example"}, 403),
        (HEADERS | {"content-type": "text/plain"}, 415),
        (HEADERS | {"content-type": "application/json"}, 415),
    ],
)
def test_only_a_form_of_the_page_is_an_answer(desk: Desk, headers: dict[str, str], status: int) -> None:
    assert desk.post("approve", "Ann", headers=headers).status == status
    assert bool(desk.releases.heard) == (status == 200)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"form_token": "x" * 43}, 403),
        ({"form_token": ""}, 403),
        ({"decision": "yes"}, 400),
        ({"decision": "try_again"}, 400),
        ({"approver": "  "}, 422),
        ({"approver": "x" * 101}, 400),
        ({"approver": "Ann\u202e"}, 400),
        ({"approver": "Ann\nBob"}, 400),
        ({"approver": "Ann <img src-x>"}, 400),
        ({"approver": "Ann (verified), Bob"}, 400),
        ({"comment": "x" * 1001}, 400),
        ({"comment": "\u0000"}, 400),
        ({"approved": "yes"}, 400),
        ({"comment": "x" * 20_000}, 413),
        ({"approver": "PIPELINE "}, 422),
    ],
)
def test_an_answer_that_is_not_as_the_page_offers_it_changes_nothing(
    desk: Desk, fields: dict[str, str], status: int
) -> None:
    before = desk.rows()
    form = desk.get().forms["approve"] | {"approver": "Ann"} | fields
    assert desk.respond(event("POST", desk.link, form)).status == status
    assert desk.rows() == before


def test_a_body_may_come_in_base64_and_a_field_only_once(desk: Desk) -> None:
    sent = event("POST", desk.link, desk.get().forms["reject"] | {"approver": "Ann"})
    doubled = sent | {"body": sent["body"] + "&decision=approve"}
    assert desk.respond(doubled).status == 400
    encoded = base64.b64encode(sent["body"].encode()).decode()
    assert desk.respond(sent | {"body": encoded, "isBase64Encoded": True}).status == 200
    assert desk.request.decision == "reject"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "", "get"])
def test_other_methods_do_nothing(desk: Desk, method: str) -> None:
    assert desk.respond(event(method, desk.link)).status == 405


def test_a_sign_in_makes_the_name_a_verified_one_and_nobody_is_asked_for_it(plan: Plan) -> None:
    desk = Desk(dataclasses.replace(plan, approvers_needed=2, requested_by="rita@shop.example"), "email")
    desk.ask()
    ann, rita = signed_in("Ann@shop.example"), signed_in("Rita@Shop.example")
    page = desk.get(claims=ann)
    assert "Ann@shop.example" in page.text
    assert 'name="approver"' not in page.text
    assert desk.post("approve", "", claims=rita).status == 422
    assert desk.post("approve", "", claims=ann).said.startswith("Your approval is noted")
    (given,) = desk.request.answers
    assert (given.name, given.is_verified) == ("Ann@shop.example", True)
    assert "Ann@shop.example (verified)" in desk.get(claims=rita).text


def test_a_form_that_was_shown_to_another_is_not_taken(plan: Plan) -> None:
    desk = Desk(plan, "email")
    desk.ask()
    fields = desk.get(claims=signed_in("mallory@shop.example")).forms["approve"]
    answer = desk.respond(event("POST", desk.link, fields, claims=signed_in("ann@shop.example")))
    assert answer.status == 403
    assert desk.request.answers == ()


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {},
        {"sub": "ann", "email_verified": "true"},
        signed_in(""),
        signed_in("x" * 256),
        signed_in(" ann@shop.example"),
        signed_in("ann@shop.example\u200b"),
        signed_in("ann@shop.ex\u0430mple"),
        {"email": "ann@shop.example"},
        signed_in("ann@shop.example", "false"),
        signed_in("ann@shop.example", False),
        signed_in("ann@shop.example", None),
    ],
)
def test_without_the_claim_nobody_is_signed_in(plan: Plan, claims: dict[str, Any] | None) -> None:
    desk = Desk(plan, "email")
    desk.ask()
    assert desk.get(claims=claims).status == 403


def test_an_address_counts_if_the_provider_has_verified_it_and_other_claims_as_they_are(plan: Plan) -> None:
    desk = Desk(plan, "email")
    desk.ask()
    for is_verified in ("true", True):
        assert desk.get(claims=signed_in("ann@shop.example", is_verified)).status == 200
    desk.page = dataclasses.replace(desk.page, identity_claim="sub")
    assert desk.get(claims={"sub": "ann"}).status == 200


def test_claims_are_people_to_the_letter_and_as_long_as_they_may_be(plan: Plan) -> None:
    """Names that are typed are not: a ``sub`` is no word that people write, and two that differ in case are two."""
    subs = [f"https://login.shop.example|{'x' * 220}{end}" for end in ("aB1l", "ab1l", "aBll", "aB1l")]
    desk = Desk(dataclasses.replace(plan, approvers_needed=2, requested_by=f" {subs[1]}"), "sub")
    desk.ask()
    assert desk.post("approve", "", claims={"sub": subs[1]}).status == 422
    assert desk.post("approve", "", claims={"sub": subs[0]}).said.startswith("Your approval is noted")
    assert "another person has to" in desk.post("approve", "", claims={"sub": subs[3]}).said
    assert "Approved by" in desk.post("approve", "", claims={"sub": subs[2]}).said
    assert [each.name for each in desk.request.answers] == [subs[0], subs[2]]


@pytest.mark.parametrize("status", [200, 403])
def test_every_response_is_locked_down(desk: Desk, status: int) -> None:
    page = desk.get(desk.link if status == 200 else desk.link[:-1])
    assert page.status == status
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["strict-transport-security"] == "max-age=63072000"
    assert "set-cookie" not in page.headers


def test_nothing_that_anybody_says_becomes_markup(plan: Plan) -> None:
    desk = Desk(dataclasses.replace(plan, requested_by=HOSTILE, cluster_name=HOSTILE, approvers_needed=2))
    desk.ask(text=f"Reason:  {HOSTILE}\n{HOSTILE}:\n  {HOSTILE}\n    {HOSTILE}\n              {HOSTILE}")
    pages = [
        desk.get(),
        desk.post("approve", "Ann", HOSTILE),
        desk.post("reject", "Bob", HOSTILE),
        desk.get(),
    ]
    for page in pages:
        assert page.status == 200
        assert not re.search(r"<(script|img)", page.text)
        assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("mark", "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_only_the_release_begins_a_line_of_the_evidence(mark: str) -> None:
    """Some of what people type reaches the text by other ways than the input: names of tables, messages of scripts."""
    shown = "".join(evidence(f"Reason:      a{mark}In step:    yes"))
    assert shown.count("<dt>") == 1
    assert "<dt>Reason</dt>" in shown


def test_it_can_be_read_aloud(desk: Desk) -> None:
    """Language, one heading of the first rank, landmarks, and a label for everything that is typed."""
    text = desk.get().text
    assert '<html lang="en">' in text
    assert len(re.findall("<h1", text)) == 1
    for landmark in ("<header>", "<main>", "<footer>"):
        assert landmark in text
    typed = re.findall(r'<(?:input|textarea) id="([\w-]+)"', text)
    assert set(typed) == set(re.findall(r'<label for="([\w-]+)"', text))
    assert len(typed) == 4
    referred = re.findall(r'aria-labelledby="([\w-]+)"|href="#([\w-]+)"', text)
    identifiers = re.findall(r' id="([\w-]+)"', text)
    assert {one or other for one, other in referred} <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        *((front, back) for front in ("text", "quiet") for back in ("page", "card")),
        *(("text", back) for back in ("said", "bad")),
        *(("#fff", back) for back in ("yes", "no")),
    ],
)
def test_everything_can_be_read_by_weak_eyes(scheme: str, front: str, back: str) -> None:
    """A contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3)."""
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")
    rules: dict[str, Any] = dict(re.findall(r"--(\w+): (#\w+)", light if scheme == "light" else dark.split("} }")[0]))
    lighter, darker = sorted((_luminance(rules.get(name, name)) for name in (front, back)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_time_of_the_tests_is_that_of_the_request(plan: Plan) -> None:
    assert link_of(plan).expires_at_s == int(NOW_S) + plan.approval_timeout_s
