"""The page: GET shows what a release asks and changes nothing, whoever fetches it and how often; POST answers.

API Gateway calls it in payload format 2.0. A link is good for one decision: afterwards it tells what was decided, by
whom and when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import asking, markup
from .answering import Taken, take
from .asking import Unacceptable
from .deciding import REJECT, YES, Answer, Request, timestamp
from .links import Keys, Link, same
from .store import Approvals
from .telling import sentence

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{markup.STYLE_HASH}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

_STATUS = {"decided": 200, "noted": 200, "already decided": 409, "over": 410, "expired": 410}
"""Of what became of an answer; of all others 422."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page works with. ``identity_claim`` is empty where nobody is signed in."""

    approvals: Approvals
    stepfunctions: Any
    keys: Keys
    page_url: str
    identity_claim: str
    clock: Callable[[], float] = time.time


def respond(desk: Desk, event: Mapping[str, Any], report: Callable[[], None]) -> dict[str, Any]:
    """The response to a request, whatever it is; ``report`` is called when something failed that should not."""
    try:
        status, body = _page(desk, event)
    except Unacceptable as refused:
        status, body = refused.status, markup.notice(refused.heading, refused.why)
    except Exception:  # noqa: BLE001 - people get a page, and whoever runs this the error
        report()
        why = "Nothing that you did is the reason. Open the link again: it says whether your answer was taken."
        status, body = 500, markup.notice("Something failed", why)
    return {"statusCode": status, "headers": dict(HEADERS), "body": body, "isBase64Encoded": False}


def _page(desk: Desk, event: Mapping[str, Any]) -> tuple[int, str]:
    method = asking.method(event)
    if method not in ("GET", "POST"):
        raise Unacceptable(405, "This page is read or answered", "Nothing else can be done with it.")
    link, signature = asking.link(event)
    key = desk.keys.of(link, signature)
    if key is None:
        raise asking.invalid_link()
    identity = asking.identity(event, desk.identity_claim)
    request = desk.approvals.find(link.release_id, link.request)
    if request is None or (request.is_open and desk.clock() >= link.expires_at_s):
        raise _expired()
    if request.is_open and request.is_over:
        raise _over()
    forms = markup.Forms(link.form_token(key, identity), identity)
    if method == "GET":
        return 200, markup.page(request, forms)
    return _answered(desk, event, link, key, request, forms)


def _answered(
    desk: Desk, event: Mapping[str, Any], link: Link, key: bytes, request: Request, forms: markup.Forms
) -> tuple[int, str]:
    asking.require_own_form(event, desk.page_url)
    form = asking.form(event)
    if not same(form.form_token, link.form_token(key, forms.identity)):
        raise Unacceptable(403, "This was not sent from the page", "Open the link in the mail, and answer there.")
    name = forms.identity or form.approver
    if not name:
        return 422, markup.page(request, forms, "Your answer was not taken: say who you are.", is_alert=True)
    if form.decision not in (YES[request.question], REJECT):
        raise Unacceptable(400, "Your answer was not taken", "It is none that the page offers.")
    now_s = desk.clock()
    answer = Answer(form.decision, name, bool(forms.identity), form.comment, timestamp(now_s), "page")
    taken = take(desk.approvals, desk.stepfunctions, request, answer, now_s)
    return _STATUS.get(taken.outcome, 422), markup.page(taken.request, forms, sentence(taken), is_alert=_is_bad(taken))


def _is_bad(taken: Taken) -> bool:
    return taken.outcome not in ("decided", "noted") or (taken.outcome == "decided" and taken.request.heard != "yes")


def _over() -> Unacceptable:
    return Unacceptable(
        410,
        "This release has ended",
        "It was stopped, or has failed, before it was answered. Nothing that it had begun is left; a mail says more.",
    )


def _expired() -> Unacceptable:
    return Unacceptable(
        410,
        "This link has expired",
        "A release that nobody answers in time is given up, and what it made is removed. If it asked again meanwhile, a"
        " newer mail has the link.",
    )
