"""ApprovalPage: GET shows what a release asks, POST answers. Called by API Gateway, in payload format 2.0."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bluegreen.approval.links import Keys
from bluegreen.approval.page import Desk, respond
from bluegreen.approval.store import Approvals

from .entry import Result, client, logger, setting


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> Result:
    return respond(_desk(), event, lambda: logger.exception("the page failed"))


@cache
def _desk() -> Desk:
    return Desk(
        approvals=Approvals(client("dynamodb"), setting("APPROVAL_TABLE")),
        stepfunctions=client("stepfunctions"),
        keys=Keys(client("secretsmanager"), setting("APPROVAL_KEY_ARN"), time.time),
        page_url=setting("APPROVAL_PAGE_URL"),
        identity_claim=setting("IDENTITY_CLAIM"),
        clock=time.time,
    )
