"""RequestApproval: keeps the request with its task token, and mails the release leads. AskForCorrection runs it too."""

from __future__ import annotations

import time

from bluegreen.approval.links import Keys
from bluegreen.approval.requesting import Desk, ask
from bluegreen.approval.store import Approvals
from bluegreen.model import State

from .entry import Result, client, entry, setting


@entry
def handler(state: State) -> Result:
    desk = Desk(
        page_url=setting("APPROVAL_PAGE_URL"),
        key=Keys(client("secretsmanager"), setting("APPROVAL_KEY_ARN"), time.time).signing(),
        decide_function=setting("DECIDE_FUNCTION"),
        region=client("sns").meta.region_name,
        topic_arn=setting("APPROVAL_TOPIC_ARN"),
        verified_only=bool(setting("IDENTITY_CLAIM")),
    )
    approvals = Approvals(client("dynamodb"), setting("APPROVAL_TABLE"))
    return ask(approvals, client("sns"), client("stepfunctions"), desk, state)
