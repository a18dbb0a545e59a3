"""Who answered. A name that was typed is no identity, so it never stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lines import quoted
from .markup import Markup, join, tag

Answer = Mapping[str, Any]

_WAYS = {"page": "on the page", "command line": "by the command line"}


def answered_by(answer: Answer) -> Markup:
    """Everybody with how the name is known, the way of the answer, and the comment."""
    decision = answer.get("decision")
    return join(tag("div", _said(each, decision)) for each in _each(answer))


def how_known(answer: Answer) -> str:
    """Whether the names of those who decided are known from tokens; one that is not is enough for saying so.

    >>> rejected = {"name": "Ada", "decision": "reject", "is_verified": True}
    >>> how_known({"decision": "reject", "answers": [{"name": "Bob", "decision": "approve"}, rejected]})
    'verified'
    >>> how_known({"approver": "Ada"})
    'name not verified'
    """
    decision = answer.get("decision")
    deciding = [each for each in _each(answer) if each.get("decision", decision) == decision]
    return _known(all(each.get("is_verified") is True for each in deciding))


def _each(answer: Answer) -> list[Answer]:
    alone = {"name": answer.get("approver"), "comment": answer.get("comment")}
    return [each for each in answer.get("answers", ()) if each.get("name")] or [alone]


def _said(each: Answer, decision: Any) -> str:
    if not each.get("name"):
        return ""
    way = _WAYS.get(str(each.get("way")), "")
    own = each.get("decision", decision)
    facts = [_known(each.get("is_verified") is True), way, "" if own == decision else f"said {own}"]
    comment = f": {quoted(str(each['comment']))}" if each.get("comment") else ""
    return f"{each['name']} ({', '.join(filter(None, facts))}){comment}"


def _known(is_verified: bool) -> str:
    return "verified" if is_verified else "name not verified"
