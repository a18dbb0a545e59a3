"""Answers by the command line: whoever may call the function, which IAM decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputInvalid
from .answering import take
from .deciding import REJECT, YES, Answer, timestamp
from .names import COMMENT_CHARACTERS, NAME_RULE, cleaned, cleaned_name
from .store import Approvals
from .telling import sentence

_FIELDS = ("release_id", "request", "decision", "approver", "comment")
_DECISIONS = (*YES.values(), REJECT)


def decide(approvals: Approvals, stepfunctions: Any, payload: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    """Takes the answer of a payload; what became of it, and a sentence that says so. Raises ``InputInvalid``."""
    fields = {name: payload.get(name, "") for name in _FIELDS}
    if unknown := sorted(set(payload) - set(_FIELDS)):
        raise InputInvalid(f"payload.{unknown[0]}: there is no such field, only {', '.join(_FIELDS)}.")
    for field, value in fields.items():
        if not isinstance(value, str) or (not value.strip() and field != "comment"):
            raise InputInvalid(f"payload.{field}: expected text{'' if field == 'comment' else ', not empty'}.")
    name = cleaned_name(fields["approver"])
    comment = cleaned(fields["comment"], COMMENT_CHARACTERS, lines=True)
    if name is None:
        raise InputInvalid(f"payload.approver: a name has {NAME_RULE}.")
    if comment is None:
        raise InputInvalid(f"payload.comment: at most {COMMENT_CHARACTERS} characters, none of them invisible.")
    if fields["decision"] not in _DECISIONS:
        raise InputInvalid(f"payload.decision: expected one of {', '.join(_DECISIONS)}.")
    request = approvals.find(fields["release_id"], fields["request"])
    if request is None:
        raise InputInvalid("payload: no release asks, or asked lately, under this release_id and request.")
    answer = Answer(fields["decision"], name, False, comment, timestamp(now_s), "command line")
    taken = take(approvals, stepfunctions, request, answer, now_s)
    return {"outcome": taken.outcome, "heard": taken.request.heard, "message": sentence(taken)}
