"""What an answer amounts to. Pure: a request and an answer in, a verdict out.

The invariant: a request gets one decision. ``reject`` takes one person, whoever it is. ``approve`` takes as many people
as the release demands, all different, none of them the one who asked for the release; where people sign in, an answer
without a verified name approves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ..lines import on_one_line, quoted
from .names import same_identity, same_person

REJECT = "reject"
YES: Mapping[str, str] = {"approval": "approve", "correction": "try_again"}
"""The decision with which the release goes on, by the question that was asked."""

Outcome = Literal[
    "decided",
    "noted",
    "already decided",
    "over",
    "expired",
    "unknown decision",
    "not verified",
    "requester",
    "same person",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said. ``way`` is how it came: ``page`` or ``command line``."""

    decision: str
    name: str
    is_verified: bool
    comment: str
    at: str
    way: str

    def __str__(self) -> str:
        return f"{self.name} ({'verified' if self.is_verified else 'name not verified'})"


@dataclass(frozen=True, slots=True)
class Request:
    """A question that a release waits for the answer to, and what was answered so far."""

    release_id: str
    request: str
    """When the state was entered, ISO 8601: a release may ask more than once."""
    question: str
    """``approval``, or ``correction`` of a script that failed."""
    cluster_name: str
    requested_by: str
    subject: str
    text: str
    approvers_needed: int
    expires_at_s: int
    """Seconds since the epoch."""
    task_token: str = field(repr=False)
    answers: tuple[Answer, ...] = ()
    decision: str | None = None
    heard: str | None = None
    """Whether the release took the decision: ``yes``, ``gone`` when it did not wait any more, None as long as nobody
    knows."""

    verified_only: bool = False
    """Whether a release is approved by verified names only: where people sign in. Anybody may reject it."""

    is_over: bool = False
    """Whether the release has ended since, whatever was answered."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be answered, as far as time is not concerned."""
        return self.decision is None

    @property
    def missing(self) -> int:
        """How many more people have to agree."""
        return self.approvers_needed - sum(answer.decision == YES[self.question] for answer in self.answers)

    @property
    def deciding(self) -> list[Answer]:
        """The answers that made the decision."""
        return [answer for answer in self.answers if answer.decision == self.decision]


def judge(request: Request, answer: Answer, now_s: float) -> Outcome:
    """What becomes of an answer."""
    yes = YES[request.question]
    if not request.is_open:
        return "already decided"
    if request.is_over:
        return "over"
    if now_s >= request.expires_at_s:
        return "expired"
    if answer.decision == REJECT:
        return "decided"
    if answer.decision != yes:
        return "unknown decision"
    if request.question == "approval" and request.verified_only and not answer.is_verified:
        return "not verified"
    if request.question == "approval" and _is_requester(answer, request):
        return "requester"
    if any(given.decision == yes and _same_person(given, answer) for given in request.answers):
        return "same person"
    return "decided" if request.missing <= 1 else "noted"


def _is_requester(answer: Answer, request: Request) -> bool:
    same = same_identity if answer.is_verified else same_person
    return same(answer.name, request.requested_by.strip())


def _same_person(one: Answer, other: Answer) -> bool:
    """Claims of one provider are compared as they are; what anybody typed by its looks."""
    same = same_identity if one.is_verified and other.is_verified else same_person
    return same(one.name, other.name)


def said(request: Request) -> str:
    """The decision in a sentence, and on one line: who, each with what that one says of it.

    A name that was typed holds no comma, bracket or colon, and nothing ends a comment but its mark.
    """
    how = {"approve": "Approved", "try_again": "Tried again", REJECT: "Rejected"}[str(request.decision)]
    return f"{how} by {', '.join(map(_with_comment, request.deciding))}."


def _with_comment(answer: Answer) -> str:
    comment = on_one_line(" ".join(answer.comment.split()))
    return f"{answer}: {quoted(comment)}" if comment else str(answer)


def output(request: Request) -> dict[str, Any]:
    """What the state machine gets as the state's result, and keeps."""
    return {
        "decision": request.decision,
        "approver": ", ".join(answer.name for answer in request.deciding),
        "answers": [asdict(answer) for answer in request.answers],
        "said": said(request),
    }


def timestamp(now_s: float) -> str:
    """
    >>> timestamp(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
