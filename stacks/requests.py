"""Events that reached nobody: what could not be delivered, and requests for clusters that nothing here releases."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.config import ClusterConfig


def undelivered_events(scope: Construct) -> sqs.Queue:
    """Where an event stays for two weeks that its target did not take; an alarm tells of it."""
    return sqs.Queue(
        scope,
        "UndeliveredEvents",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=cdk.Duration.days(14),
    )


def keep_requests_for_nobody(
    scope: Construct, config: ClusterConfig, released: Sequence[str], queue: sqs.IQueue
) -> None:
    """A request that names none of the clusters that are released, or names none at all, stays in the queue.

    One that names a cluster reaches that one's state machine, which says by mail what is wrong with it.
    """
    if not released:
        return
    events.Rule(
        scope,
        "RequestForNobody",
        description=f"Keeps requests from {config.event_source} for clusters that are not released",
        event_pattern=events.EventPattern(
            source=[config.event_source],
            detail_type=["Release Requested", "Decommission Requested"],
            detail={
                "$or": [
                    {"cluster": events.Match.anything_but(*released)},
                    {"cluster": events.Match.does_not_exist()},
                ]
            },
        ),
        targets=[targets.SqsQueue(queue)],
    )
