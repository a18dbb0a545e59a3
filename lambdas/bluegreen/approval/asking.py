"""A request to the page, as API Gateway passes it on: read, bounded, and believed in nothing.

Every part may be absent, of another type, or anybody's invention.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .letters import is_of_one_script
from .links import Link, parse
from .names import COMMENT_CHARACTERS, NAME_RULE, as_identity, cleaned, cleaned_name

BODY_BYTES = 16_384
"""More than the longest form takes: a character may be twelve bytes of a form."""

_FIELDS = frozenset({"form_token", "decision", "approver", "comment"})


class Unacceptable(Exception):
    """A request that is answered with a status of HTTP, a heading and a sentence, and changes nothing."""

    def __init__(self, status: int, heading: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.heading = heading
        self.why = why


INVALID_LINK = "This link is not valid"
_INVALID = "Open the link as it is in the mail, with all of it: mail programs sometimes cut long ones."


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent from a form."""

    form_token: str
    decision: str
    approver: str
    comment: str


def method(event: Mapping[str, Any]) -> str:
    """GET, POST, or something else."""
    return _text(_mapping(_mapping(event.get("requestContext")).get("http")).get("method"))


def link(event: Mapping[str, Any]) -> tuple[Link, str]:
    """The link that was opened and its signature, which is not looked at yet. Raises ``Unacceptable``."""
    query = _mapping(event.get("queryStringParameters"))
    found = parse(
        _text(_mapping(event.get("pathParameters")).get("release_id")),
        {name: _text(query.get(name)) for name in ("request", "expires", "signature")},
    )
    if found is None:
        raise Unacceptable(403, INVALID_LINK, _INVALID)
    return found


def invalid_link() -> Unacceptable:
    """What is said of a link that was signed by nobody; the same as of one that looks like none."""
    return Unacceptable(403, INVALID_LINK, _INVALID)


def identity(event: Mapping[str, Any], claim: str) -> str:
    """Who is signed in, by the claim of the token that API Gateway has verified; empty when no claim is asked for.

    Raises ``Unacceptable`` when the token does not say it. An ``email`` counts if the provider says, in
    ``email_verified``, that it is that person's (OpenID Connect Core 1.0, 5.1 and 5.7); API Gateway passes claims on as
    text.
    """
    if not claim:
        return ""
    authorizer = _mapping(_mapping(event.get("requestContext")).get("authorizer"))
    claims = _mapping(_mapping(authorizer.get("jwt")).get("claims"))
    name = as_identity(_text(claims.get(claim)))
    if not name or (claim == "email" and not is_of_one_script(name, "&/#")):  # it would look like another's
        raise Unacceptable(403, "Nobody is signed in", f"The token of your sign-in does not say your {claim}.")
    if claim == "email" and claims.get("email_verified") not in (True, "true"):
        raise Unacceptable(403, "Nobody is signed in", "The token of your sign-in does not say email_verified.")
    return name


def require_own_form(event: Mapping[str, Any], page_url: str) -> None:
    """Raises ``Unacceptable`` for a form that a browser sent from another site.

    With ``Referrer-Policy: no-referrer`` browsers send ``Origin: null`` with forms (Fetch Standard, "append a request
    Origin header"); then, and where a browser is too old for both headers, the form's token decides alone.
    """
    headers = {str(name).lower(): value for name, value in _mapping(event.get("headers")).items()}
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = "{0.scheme}://{0.netloc}".format(urlsplit(page_url))
    if site not in (None, "same-origin") or origin not in (None, "null", own):
        raise Unacceptable(403, "This was not sent from the page", "Open the link in the mail, and answer there.")
    if _text(headers.get("content-type")).partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Unacceptable(415, "This is no form of the page", "Open the link in the mail, and answer there.")


def form(event: Mapping[str, Any]) -> Form:
    """What was typed. Raises ``Unacceptable`` for too much of it, fields that nobody asked for, and odd characters."""
    body = event.get("body") or ""
    if not isinstance(body, str) or len(body) > BODY_BYTES:
        raise _bad("It is too long.", 413)
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=len(_FIELDS)
        )
    except (binascii.Error, ValueError):  # UnicodeError is one
        raise _bad("It cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or not fields.keys() <= _FIELDS:
        raise _bad("It has fields that the page has not.")
    approver = cleaned_name(fields.get("approver", ""))
    comment = cleaned(fields.get("comment", ""), COMMENT_CHARACTERS, lines=True)
    if approver is None:
        raise _bad(f"A name has {NAME_RULE}.")
    if comment is None:
        raise _bad(f"A comment has at most {COMMENT_CHARACTERS} characters, none of them invisible.")
    return Form(fields.get("form_token", ""), fields.get("decision", ""), approver, comment)


def _bad(why: str, status: int = 400) -> Unacceptable:
    return Unacceptable(status, "Your answer was not taken", why)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
