"""The record as one page of HTML that needs nothing else: no network, no script, no font."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import words
from .markup import Markup, style, tag
from .parts import SECTIONS
from .people import how_known
from .style import CSS

Record = Mapping[str, Any]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Should anything get into the page after all, the browser neither runs nor fetches it."""


def page(record: Record) -> str:
    """The whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"Release {record['release_id']} of {record['cluster']}"),
        style(CSS),
    )
    sections = (
        tag("section", tag("h2", title), content) for title, show in SECTIONS if (content := show(record)) is not None
    )
    goodness = "good" if record["outcome"]["is_good"] else None
    body = tag("body", _head(record), tag("main", *sections), _foot(record), class_=goodness)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _head(record: Record) -> Markup:
    why = record["outcome"]["reason"]
    asked = f"Asked for by {record['requested_by']}: {record['reason']}" if record["requested_by"] else None
    return tag(
        "header",
        tag("p", f"Release record · {record['cluster']} · {record['release_id']}", class_="kicker"),
        tag("h1", record["outcome"]["sentence"]),
        tag("p", f"{record['outcome']['error']}: {why}", class_="lead") if why else None,
        tag("p", asked, class_="lead") if asked else None,
        tag(
            "dl", *(tag("div", tag("dt", name), tag("dd", *said)) for name, *said in _key_figures(record)), class_="key"
        ),
    )


def _key_figures(record: Record) -> list[tuple[Any, ...]]:
    """What the reader of one line wants to know."""
    told, compared = record["switchover"] or {}, record["verification"]
    answered = [request for request in record["requests"] if request["state"] == "RequestApproval"]
    answer = answered[-1]["answer"] if answered else {}
    key: list[tuple[Any, ...]] = []
    if told.get("freeze_to_open_ms") is not None:
        frozen = tag("small", f"of {told['freeze_budget_s']} s allowed") if told.get("freeze_budget_s") else None
        key.append(("Writes refused for", f"{told['freeze_to_open_ms']:.0f} ms", frozen))
    if compared:
        rows = sum(each["rows_compared"] or 0 for each in compared)
        key.append(
            ("Rows proven equal", words.count(rows), tag("small", f"in {words.plural(len(compared), 'database')}"))
        )
    if clients := record["clients"]:
        missing, doubled = (clients.get(name, "unknown") for name in ("missing", "duplicated"))
        total = words.count(sum(clients["acknowledged"]))
        key.append(("Writes of clients", f"{missing} lost", tag("small", f"{doubled} doubled, of {total}")))
    if answer.get("decision"):
        person = answer.get("approver") or "somebody"
        at = tag("small", f"{words.when(answered[-1]['answered_at'])}; {how_known(answer)}")
        key.append(("Approved by" if answer["decision"] == "approve" else "Answered by", person, at))
    key.append(("Took", words.duration(record["elapsed_s"]), tag("small", words.when(record["started_at"]))))
    return key


def _foot(record: Record) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"Written {words.when(record['written_at'])} from the history of ",
            tag("code", record["execution_arn"]),
            ".",
        ),
        tag("p", f"The same as data: release.json beside this page, schema version {record['schema_version']}."),
    )
