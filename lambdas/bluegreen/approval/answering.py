"""Taking an answer: it is judged, kept, and, when it decides, handed to the release.

What was decided is kept before the release is told. So a function that dies in between loses nothing: whoever answers
again, and the request itself when its state is tried again, hands over what was decided.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import AwsUnavailable
from .deciding import Answer, Outcome, Request, judge, output
from .store import Approvals

TRIES = 20
"""Two people who answer at the same instant come one after the other."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an answer, and the request afterwards."""

    outcome: Outcome
    request: Request


def take(approvals: Approvals, stepfunctions: Any, seen: Request, answer: Answer, now_s: float) -> Taken:
    """Judges an answer to a request, keeps it if it counts, and tells the release what is decided."""
    request: Request | None = seen
    for _ in range(TRIES):
        if request is None:
            break
        outcome = judge(request, answer, now_s)
        if outcome == "already decided":
            return Taken(outcome, tell(approvals, stepfunctions, request) if request.heard is None else request)
        if outcome not in ("decided", "noted"):
            return Taken(outcome, request)
        decision = answer.decision if outcome == "decided" else None
        if kept := approvals.record(request, answer, decision):
            return Taken(outcome, tell(approvals, stepfunctions, kept) if decision else kept)
        request = approvals.find(seen.release_id, seen.request)
    raise AwsUnavailable(f"Too many people answer {seen.release_id} at once, or its request is gone: try again.")


def tell(approvals: Approvals, stepfunctions: Any, request: Request) -> Request:
    """Hands a decision to the release; the request as it is then. A release that waits no more is noted as gone."""
    gone = stepfunctions.exceptions
    try:
        stepfunctions.send_task_success(taskToken=request.task_token, output=json.dumps(output(request)))
        heard = "yes"
    except (gone.TaskTimedOut, gone.TaskDoesNotExist, gone.InvalidToken):
        heard = "gone"
    approvals.note_heard(request, heard)
    return approvals.find(request.release_id, request.request) or request
