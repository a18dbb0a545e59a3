"""The approval page as a browser without scripts uses it: fetched, a form filled in, sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


@dataclass(slots=True)
class Page:
    """A page: status, headers in lower case, text, its forms by the value of their button, and what it announces."""

    status: int
    headers: dict[str, str]
    text: str
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    said: str = ""


def fetch(link: str, fields: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Page:
    """GET, or POST of a form's fields; a refusal is a page as well."""
    data = urlencode(fields).encode() if fields is not None else None
    request = Request(link, data=data, headers=headers or {})  # noqa: S310 - the link of a mail, which is ours
    try:
        with urlopen(request, timeout=60) as response:  # noqa: S310
            status, received, text = response.status, response.headers, response.read().decode()
    except HTTPError as refused:
        with refused:
            status, received, text = refused.code, refused.headers, refused.read().decode()
    return read(status, {name.lower(): value for name, value in received.items()}, text)


def read(status: int, headers: dict[str, str], text: str) -> Page:
    """A response as a page."""
    reader = _Reader()
    reader.feed(text)
    return Page(status, headers, text, reader.forms, "".join(reader.said).strip())


def answer(link: str, decision: str, approver: str, comment: str = "") -> Page:
    """Opens the page and sends the form of a decision; the page that follows."""
    opened = fetch(link)
    if decision not in opened.forms:
        raise LookupError(f"the page has no form to {decision}: {opened.status} {opened.said}")
    return fetch(link, opened.forms[decision] | {"approver": approver, "comment": comment})


class _Reader(HTMLParser):
    """Hidden fields and buttons of the forms, and the text of what has the role of a status or an alert."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.said: list[str] = []
        self._fields: dict[str, str] = {}
        self._is_said = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag that opens."""
        given = {name: value or "" for name, value in attrs}
        self._is_said = given.get("role") in ("status", "alert")
        if tag == "form":
            self._fields = {}
        elif tag == "input" and given.get("type") == "hidden":
            self._fields[given["name"]] = given["value"]
        elif tag == "button":
            self.forms[given["value"]] = self._fields | {given["name"]: given["value"]}

    def handle_data(self, data: str) -> None:
        """Called for each piece of text."""
        if self._is_said:
            self.said.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Called for each tag that closes."""
        self._is_said = False
