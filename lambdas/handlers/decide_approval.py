"""DecideApproval: an answer by the AWS CLI. Who may call this function may answer; the name is what the caller says,
and so approves nothing where the page has a sign-in."""

from __future__ import annotations

import time

from bluegreen.approval.commanding import decide
from bluegreen.approval.store import Approvals
from bluegreen.model import State

from .entry import Result, client, entry, setting


@entry
def handler(state: State) -> Result:
    approvals = Approvals(client("dynamodb"), setting("APPROVAL_TABLE"))
    return decide(approvals, client("stepfunctions"), state, time.time())
