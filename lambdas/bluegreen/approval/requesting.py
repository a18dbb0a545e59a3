"""Asking: the request is kept with its token, and the release leads get a mail with everything but that."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lines import in_lines
from ..model import Plan, State
from .answering import tell
from .deciding import REJECT, YES, Request, timestamp
from .links import Link
from .store import Approvals

_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where answers are given: the page, and the function for the command line."""

    page_url: str
    key: bytes
    decide_function: str
    region: str
    topic_arn: str
    verified_only: bool = False
    """Whether the page has a sign-in."""


def ask(approvals: Approvals, sns: Any, stepfunctions: Any, desk: Desk, state: State) -> dict[str, Any]:
    """Keeps the request and mails it; or hands over what was decided before this state was tried again.

    A function that is late, when its release has ended, mails nobody.
    """
    plan = Plan.of(state)
    request = request_of(plan, state, verified_only=desk.verified_only)
    kept = approvals.open(request, state["retry"])
    if kept is None or kept.is_over:
        return {"request": request.request, "is_superseded": True}
    if kept.decision is not None:
        tell(approvals, stepfunctions, kept)
    else:
        sns.publish(TopicArn=desk.topic_arn, Subject=kept.subject, Message=mail(desk, plan, kept))
    return {"request": request.request, "is_superseded": False}


def request_of(plan: Plan, state: State, *, verified_only: bool) -> Request:
    """The request as a state of the release makes it. It expires when the state does."""
    asked_at = datetime.fromisoformat(state["asked_at"])
    return Request(
        release_id=plan.release_id,
        request=state["asked_at"],
        question=state["question"],
        cluster_name=plan.cluster_name,
        requested_by=plan.requested_by,
        subject=state["subject"],
        text=in_lines(state["text"].split("\n")),
        approvers_needed=plan.approvers_needed if state["question"] == "approval" else 1,
        expires_at_s=int(asked_at.timestamp()) + plan.approval_timeout_s,
        task_token=state["task_token"],
        verified_only=verified_only,
    )


def mail(desk: Desk, plan: Plan, request: Request) -> str:
    """The text of the mail: what is asked, the page, the command line, and the execution in the console."""
    yes = YES[request.question]
    page_only = request.verified_only and request.question == "approval"
    link = Link(request.release_id, request.request, request.expires_at_s).url(desk.page_url, desk.key)
    answer = {
        "release_id": request.release_id,
        "request": request.request,
        "decision": REJECT if page_only else yes,
        "approver": "YOUR NAME",
        "comment": "",
    }
    command = (
        f"aws lambda invoke --region {desk.region} --function-name {desk.decide_function}"
        f" --cli-binary-format raw-in-base64-out --payload {shlex.quote(json.dumps(answer))} /dev/stdout"
    )
    two = request.approvers_needed > 1
    lines = [
        request.text,
        "",
        f"To {yes.replace('_', ' ')} or to reject, open this page. The link is for release leads:"
        f" it is good for one decision, until {_minute(request.expires_at_s)}.",
        "",
        link,
        "",
        *([f"{request.approvers_needed} people have to approve, all but {request.requested_by}.", ""] if two else []),
        "Or reject by the AWS CLI:" if page_only else f"Or by the AWS CLI (to reject, say reject instead of {yes}):",
        "",
        command,
        "",
        f"Execution: {console_url(plan.execution_arn)}",
        plan.execution_arn,
        "",
    ]
    return "\n".join(lines)


def console_url(execution_arn: str) -> str:
    """An execution in the console of Step Functions.

    >>> console_url("arn:aws:states:eu-west-2:1:execution:m:e")
    'https://eu-west-2.console.aws.amazon.com/states/home?region=eu-west-2#/v2/executions/details/arn:aws:states:eu-west-2:1:execution:m:e'
    """
    _, partition, _, region, *_ = execution_arn.split(":")
    host = _CONSOLES.get(partition, f"{region}.console.aws.amazon.com")
    return f"https://{host}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def _minute(at_s: int) -> str:
    return f"{timestamp(at_s)[:16].replace('T', ' ')} UTC"
