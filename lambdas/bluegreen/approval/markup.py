"""The HTML of the page. Whatever comes from a release or a person is escaped here, and nowhere else put into markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from ..lines import quoted
from ..model import NOT_SAID
from .deciding import REJECT, YES, Answer, Request, said, timestamp
from .names import COMMENT_CHARACTERS, NAME_CHARACTERS
from .style import STYLE
from .telling import consequence

STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
"""What the content security policy admits in place of anything that is inline."""

_TITLED = re.compile(r"([A-Z][A-Za-z ]{1,20}(?:\([a-z]+\))?): {1,}(\S.*)")
_CONTINUED = re.compile(r" {10,}(\S.*)")


@dataclass(frozen=True, slots=True)
class Forms:
    """What the forms of a page hold: their token, and who is signed in, if anybody is."""

    token: str
    identity: str


def page(request: Request, forms: Forms, told: str = "", *, is_alert: bool = False) -> str:
    """The request with what was found, and its forms as long as it is open."""
    is_approval = request.question == "approval"
    kind = "Approve this release?" if is_approval else "Changes failed: try again?"
    heading = kind if request.is_open else ("Approval" if is_approval else "Correction") + " of a release"
    what = "What was found" if is_approval else "What happened"
    side = _forms(request, forms) if request.is_open else _decided(request, forms)
    main = (
        f'<div class="grid"><section class="card evidence" aria-labelledby="found"><h2 id="found">{what}</h2>'
        f"{''.join(evidence(request.text))}</section>{side}</div>"
    )
    return _document(
        title=f"{heading} {request.release_id} of {request.cluster_name}",
        above=f"Release {request.release_id} of {request.cluster_name}",
        heading=heading,
        below=_state(request),
        told=_told(told, is_alert=is_alert),
        main=main,
        skip="Go to the answer" if request.is_open else "",
    )


def notice(heading: str, why: str) -> str:
    """A page that says one thing."""
    main = f'<p class="card one" role="alert">{escape(why)}</p>'
    return _document(title=heading, above="Blue/green release", heading=heading, below="", told="", main=main, skip="")


def _document(*, title: str, above: str, heading: str, below: str, told: str, main: str, skip: str) -> str:
    below = f'<p class="quiet">{escape(below)}</p>' if below else ""
    link = f'<a class="skip" href="#answer">{escape(skip)}</a>' if skip else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<header><p class="quiet">{escape(above)}</p><h1>{escape(heading)}</h1>{below}{link}</header>'
        f"<main>{told}{main}</main>"
        "<footer><p>Times are in UTC. This page loads nothing, sets no cookie, and changes nothing until a form is"
        " sent.</p></footer></body></html>"
    )


def _told(told: str, *, is_alert: bool) -> str:
    if not told:
        return ""
    role, kind = ("alert", "said bad") if is_alert else ("status", "said")
    return f'<p class="{kind}" role="{role}">{escape(told)}</p>'


def _state(request: Request) -> str:
    """How the request stands, in a line under the heading."""
    if not request.is_open:
        return said(request)
    needed = "one person decides" if request.approvers_needed == 1 else f"{request.approvers_needed} people decide"
    return f"Open until {_minute(timestamp(request.expires_at_s))}; {needed}. Asked for by {request.requested_by}."


def _forms(request: Request, forms: Forms) -> str:
    yes = YES[request.question]
    approves = yes == "approve"
    who = request.requested_by
    rule = "" if who == NOT_SAID or not approves else f"{who} asked for the release, so somebody else approves it."
    if request.approvers_needed > 1:
        rule = f"Two people approve it, neither of them {who}, who asked for the release."
    effect = (
        "Blue stops taking writes; green takes over once it is proven to hold everything."
        if approves
        else "The scripts are read again from S3. What has run stays as it is."
    )
    return (
        f'<div class="forms" id="answer" tabindex="-1">{_answers(request.answers)}'
        f"{_form(forms, yes, 'Approve' if approves else 'Try again', effect, rule)}"
        f"{_form(forms, REJECT, 'Reject', 'The release ends. Green and all that it made are removed.', '')}</div>"
    )


def _form(forms: Forms, decision: str, verb: str, effect: str, rule: str) -> str:
    name = f"{decision}-name"
    rule = f'<p class="quiet">{escape(rule)}</p>' if rule else ""
    who = (
        f'<p>Signed in as <strong id="{name}">{escape(forms.identity)}</strong></p>'
        if forms.identity
        else f'<label for="{name}">Your name</label><input id="{name}" name="approver" required'
        f' maxlength="{NAME_CHARACTERS}" autocomplete="name">'
    )
    return (
        f'<form class="card" method="post" aria-labelledby="{decision}"><h2 id="{decision}">{verb}</h2>'
        f"<p>{escape(effect)}</p>{rule}{who}"
        f'<label for="{decision}-comment">Comment <span>(optional)</span></label>'
        f'<textarea id="{decision}-comment" name="comment" maxlength="{COMMENT_CHARACTERS}"></textarea>'
        f'<input type="hidden" name="form_token" value="{escape(forms.token)}">'
        f'<button name="decision" value="{decision}"{" class=no" if decision == REJECT else ""}>{verb}</button></form>'
    )


def _decided(request: Request, forms: Forms) -> str:
    again = ""
    if request.heard is None:
        again = _form(forms, str(request.decision), "Send the answer again", "The release was not told yet.", "")
    return (
        '<div class="forms"><section class="card" aria-labelledby="end"><h2 id="end">What was decided</h2>'
        f"<p>{escape(consequence(request))}</p></section>{_answers(request.answers)}{again}</div>"
    )


def _answers(answers: Sequence[Answer]) -> str:
    if not answers:
        return ""
    items = "".join(
        f"<li><strong>{escape(str(answer))}</strong>: {escape(answer.decision.replace('_', ' '))}, by"
        f" {escape(answer.way)}, {_minute(answer.at)}{_comment(answer)}</li>"
        for answer in answers
    )
    return f'<section class="card" aria-labelledby="so-far"><h2 id="so-far">Answers</h2><ul>{items}</ul></section>'


def _comment(answer: Answer) -> str:
    if not answer.comment:
        return ""
    return f'<span class="more">{escape(quoted(answer.comment)).replace(chr(10), "<br>")}</span>'


def _minute(at: str) -> str:
    return escape(f"{at[:16].replace('T', ' ')} UTC")


def evidence(text: str) -> Iterator[str]:
    """The text of the mail as paragraphs, lists, and lists of titles: what is indented belongs to the line above.

    >>> "".join(evidence("Reason:       a <b>\\n\\nIn step:\\n  app: 1 byte"))
    '<dl><dt>Reason</dt><dd>a &lt;b&gt;</dd></dl><p>In step:</p><ul><li>app: 1 byte</li></ul>'
    """
    for kind, found in groupby(_lines(text), key=lambda line: line[0]):
        lines = [(title, line) for _, title, line in found]
        if kind == "titled":
            yield f"<dl>{''.join(_titled(title, line) for title, line in lines)}</dl>"
        elif kind == "item":
            yield f"<ul>{''.join(_items(lines))}</ul>"
        else:
            yield "".join(f"<p>{escape(line)}</p>" for _, line in lines)


def _titled(title: str, line: str) -> str:
    return f"{f'<dt>{escape(title)}</dt>' if title else ''}<dd>{escape(line)}</dd>"


def _items(lines: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Each with the deeper lines that follow it."""
    items: list[str] = []
    for depth, line in lines:
        if depth and items:
            items[-1] += f'<span class="more">{escape(line)}</span>'
        else:
            items.append(escape(line))
    return (f"<li>{item}</li>" for item in items)


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, title or depth, and content of each line that is not empty.

    A line ends where the release ends it: ``splitlines`` also splits at what somebody may have typed.
    """
    before = depth = ""
    for line in text.split("\n"):
        if not (content := line.strip()):
            before = ""
            continue
        if match := _TITLED.fullmatch(line):
            before = "titled"
            yield before, match[1], match[2]
        elif before == "titled" and (match := _CONTINUED.fullmatch(line)):
            yield before, "", match[1]
        elif line.startswith("  "):
            depth = "deeper" if line.startswith("    ") and before == "item" else ""
            before = "item"
            yield before, depth, content
        else:
            before = "text"
            yield before, "", content
