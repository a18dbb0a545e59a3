"""Where the application's logs go."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, identifier: str, name: str) -> logs.LogGroup:
    """A group made by the stack: one that Lambda made by itself would keep its lines for ever and outlive the stack.

    A release may be looked into at the next quarter's review, hence the retention.
    """
    return logs.LogGroup(
        scope,
        identifier,
        log_group_name=name,
        retention=logs.RetentionDays.SIX_MONTHS,
        removal_policy=cdk.RemovalPolicy.DESTROY,  # kept, its fixed name would stop the stack from being made again
    )
